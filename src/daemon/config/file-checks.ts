/** Whether the files that a configuration names are there, as far as it can be told without opening a socket. */

import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { errorText } from "./config-file.js";
import { checkTlsSocket } from "./tls-checks.js";
import { forEachAttachedServer, forEachSocket, type LooseFile, type ReportAt } from "./whole-file-checks.js";

/** A file in which keys with a problem of their own are absent. */
export interface LooseFileWithPaths extends LooseFile {
  readonly log?: LooseLog;
  readonly gateways?: readonly (LooseGateway | undefined)[];
}

interface LooseLog {
  readonly log_file?: string;
  readonly log_file_backup?: number;
  readonly syslog?: boolean;
  readonly syslog_socket?: string;
}

interface LooseGateway {
  readonly domain?: string;
  readonly password_file?: string;
  readonly tls?: Readonly<Record<string, string>>;
}

/** `problem`: pafd would not do with this file. `warning`: it may, but perhaps not what was meant. */
export function checkFiles(file: LooseFileWithPaths, problem: ReportAt, warning: ReportAt): void {
  const readable = (path: string, fileName: string) => reportFailure(path, fileName, problem, () => readOf(fileName));
  const each = (path: string, files: Readonly<Record<string, string>> = {}) =>
    Object.entries(files).filter(([key, fileName]) => !readable(`${path}.${key}`, fileName)).length === 0;
  forEachSocket(file.domains ?? [], (socket, path, addressPath) => {
    if (each(`${path}.tls`, socket.tls)) checkTlsSocket(socket, path, addressPath, problem, warning);
  });
  forEachAttachedServer(file.domains ?? [], (server, path) => each(`${path}.tls`, server.tls));
  (file.gateways ?? []).forEach((gateway, i) => {
    each(`gateways[${i}].tls`, gateway?.tls);
    if (gateway?.password_file !== undefined) readable(`gateways[${i}].password_file`, gateway.password_file);
  });
  if (file.log) checkLogFiles(file.log, problem, warning);
  if (file.domains?.length === 0) {
    warning("domains", "there is none (the command line then has to give addresses)");
  }
}

function checkLogFiles(log: LooseLog, problem: ReportAt, warning: ReportAt): void {
  const { log_file: logFile, log_file_backup: backups = 0, syslog, syslog_socket: socket } = log;
  if (logFile !== undefined) {
    reportFailure("log.log_file", logFile, problem, () => accessSync(writtenAt(logFile), constants.W_OK));
  } else if (backups > 0) {
    warning("log.log_file_backup", `${backups} has no effect without log_file`);
  }
  if (syslog && socket !== undefined) {
    const absent = (path: string, message: string) =>
      warning(path, `${message} (pafd does not start without it, unless syslog is off)`);
    reportFailure("log.syslog_socket", socket, absent, () => statSync(socket));
  }
}

/** What has to be writable: the file, or its folder where there is none yet. */
function writtenAt(fileName: string): string {
  const stat = statSync(fileName, { throwIfNoEntry: false });
  if (stat?.isDirectory()) throw Object.assign(new Error("a folder"), { code: "EISDIR" });
  return stat ? fileName : dirname(fileName);
}

/** Opens a file and reads from it, without waiting for the writer of a pipe. */
function readOf(fileName: string): void {
  const fd = openSync(fileName, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    readSync(fd, Buffer.alloc(1), 0, 1, null);
  } finally {
    closeSync(fd);
  }
}

/** False if it did fail. */
function reportFailure(path: string, fileName: string, report: ReportAt, look: () => void): boolean {
  try {
    look();
    return true;
  } catch (e) {
    report(path, `${errorText(e)}: '${fileName}'`);
    return false;
  }
}
