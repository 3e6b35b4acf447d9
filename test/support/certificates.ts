/** Certificate authorities for tests, made by the `openssl` command in a folder that goes when the process ends. */

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** File names, as a socket's `tls` options take them. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

export interface IssueOptions {
  /** Validity as `openssl ca` takes it, YYYYMMDDHHMMSSZ; the default is from now for ten years. */
  readonly from?: string;
  readonly to?: string;
  /** Lines of an extension section; the default is a subject key identifier. */
  readonly extensions?: readonly string[];
  /** RSA of that many bits; the default is an elliptic curve, which is faster to make. */
  readonly rsaBits?: number;
  /** The default is `/CN=NAME`. */
  readonly subject?: string;
}

export const EXPIRED = { from: "20200101000000Z", to: "20210101000000Z" };
export const NOT_YET_VALID = { from: "20600101000000Z", to: "20610101000000Z" };
const SUBJECT_KEY_ID = "subjectKeyIdentifier = hash";
const AUTHORITY_EXTENSIONS = ["basicConstraints = critical, CA:true", SUBJECT_KEY_ID];

let folder: string | undefined;

/** A file in the folder of this process. */
export function certificateFile(name: string): string {
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), "paf-certificates-"));
    process.on("exit", () => rmSync(folder!, { recursive: true, force: true }));
  }
  return join(folder, name);
}

/** Runs openssl and gives its standard output. */
export function openssl(...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync("openssl", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${error ?? stderr}`);
  return stdout;
}

/** Why tests with certificates cannot run here, or undefined. In CI that is never accepted. */
export function opensslMissing(): string | undefined {
  if (spawnSync("openssl", ["version"]).status === 0) return undefined;
  if (process.env.CI === "true") throw new Error("openssl is not installed, and CI skips nothing");
  return "openssl is not installed (apt install openssl)";
}

let files = 0;

/** One file with what is in several. */
export function bundle(...names: string[]): string {
  const name = certificateFile(`bundle-${files++}.pem`);
  writeFileSync(name, names.map((part) => readFileSync(part, "latin1")).join("\n"));
  return name;
}

/** An authority with its database; a root unless another one has issued it, which may say with what extensions. */
export class Authority implements Identity {
  readonly cert: string;
  readonly key: string;
  readonly #config: string;

  constructor(
    readonly name: string,
    issuer?: Authority,
    extensions: readonly string[] = AUTHORITY_EXTENSIONS,
  ) {
    const file = (what: string) => certificateFile(`${name}-${what}`);
    this.#config = file("openssl.cnf");
    writeFileSync(file("index.txt"), "");
    writeFileSync(file("serial"), "01\n");
    writeFileSync(file("crlnumber"), "01\n");
    writeFileSync(
      this.#config,
      `[ca]\ndefault_ca = authority\n[authority]\nnew_certs_dir = ${certificateFile("")}\ndatabase = ${file("index.txt")}
serial = ${file("serial")}\ncrlnumber = ${file("crlnumber")}\ndefault_md = sha256\npolicy = any\nunique_subject = no
default_days = 3650\ndefault_crl_days = 3650\nemail_in_dn = no\n[any]\ncommonName = optional\norganizationName = optional
[req]\ndistinguished_name = dn\nprompt = no\n[dn]\nCN = x\n[root]\n${AUTHORITY_EXTENSIONS.join("\n")}\n`,
    );
    if (issuer !== undefined) {
      ({ cert: this.cert, key: this.key } = issuer.issue(name, { extensions }));
      return;
    }
    this.cert = file("cert.pem");
    this.key = file("key.pem");
    const request = ["req", "-new", "-x509", ...newKey(this.key), "-subj", `/CN=${name}`, "-days", "3650"];
    openssl(...request, "-config", this.#config, "-extensions", "root", "-out", this.cert);
  }

  /** A key and a certificate of this authority. */
  issue(name: string, options: IssueOptions = {}): Identity {
    const { from, to, extensions = [SUBJECT_KEY_ID], rsaBits, subject = `/CN=${name}` } = options;
    const file = (what: string) => certificateFile(`${this.name}-${name}-${files++}-${what}`);
    const [cert, key, request, section] = [file("cert.pem"), file("key.pem"), file("request.pem"), file("extensions")];
    openssl(
      "req",
      "-new",
      ...newKey(key, rsaBits),
      "-subj",
      subject,
      "-config",
      this.#config,
      "-utf8",
      "-out",
      request,
    );
    writeFileSync(section, `[leaf]\n${extensions.join("\n")}\n`);
    const validity = [...(from ? ["-startdate", from] : []), ...(to ? ["-enddate", to] : [])];
    const what = ["-in", request, "-out", cert, "-extfile", section, "-extensions", "leaf", ...validity];
    this.#ca("-batch", "-notext", ...what);
    return { cert, key };
  }

  revoke({ cert }: Identity): void {
    this.#ca("-revoke", cert);
  }

  /** A new revocation list; with dates, one that was valid between them. */
  revocationList({ from, to }: Pick<IssueOptions, "from" | "to"> = {}): string {
    const list = certificateFile(`${this.name}-crl-${files++}.pem`);
    this.#ca("-gencrl", "-out", list, ...(from && to ? ["-crl_lastupdate", from, "-crl_nextupdate", to] : []));
    return list;
  }

  #ca(...args: string[]): void {
    openssl("ca", "-config", this.#config, "-cert", this.cert, "-keyfile", this.key, ...args);
  }
}

function newKey(file: string, rsaBits?: number): string[] {
  const kind = rsaBits ? [`rsa:${rsaBits}`] : ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  return ["-newkey", ...kind, "-nodes", "-keyout", file];
}

/** A certificate that nobody but itself vouches for. */
export function selfSigned(name: string, subject = `/CN=${name}`): Identity {
  const cert = certificateFile(`${name}-self-cert.pem`);
  const key = certificateFile(`${name}-self-key.pem`);
  openssl("req", "-new", "-x509", ...newKey(key), "-subj", subject, "-utf8", "-days", "3650", "-out", cert);
  return { cert, key };
}

/** A folder of its own with the names that XCM looks for: `cert.pem`, `key.pem`, `tc.pem`. */
export function tlsDirectory(name: string, { cert, key }: Identity, tc: string): string {
  const directory = certificateFile(name);
  mkdirSync(directory);
  copyFileSync(cert, join(directory, "cert.pem"));
  copyFileSync(key, join(directory, "key.pem"));
  copyFileSync(tc, join(directory, "tc.pem"));
  return directory;
}
