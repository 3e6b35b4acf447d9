/** What `pafc -h` prints. pafc(1), build/man/pafc.1, says more; a test compares their options. */

export const HELP = `pafc - ask a Pathfinder server, publish and watch services

Usage: pafc [OPTIONS] ADDR|DOMAIN                       interactive
       pafc [OPTIONS] ADDR|DOMAIN COMMAND [ARGUMENTS]
       pafc -a DOMAIN | -l | -h | --version

ADDR is where the server listens: ux:NAME, uxf:PATH, tcp:HOST:PORT,
tls:HOST:PORT or utls:HOST:PORT. DOMAIN is the name of a domain file in the
directory PAF_DOMAINS (default: /run/paf/domains.d).
Without COMMAND it reads commands from standard input; "help" lists them.

Commands:
  services [FILTER]      Services that match FILTER, or all
  subscriptions          All subscriptions
  clients                All clients
  gateways               How each gateway of the domain is doing: state, counts,
                         what it dropped and why, its last error
  subscribe [FILTER]     Print services as they appear, change and disappear,
                         until interrupted
  publish [--id HEX] [--generation N] [--ttl SECONDS] [--leave] NAME=VALUE ...
                         Publish a service, print its id, keep it until
                         interrupted, then withdraw it
    --id HEX             Service id (default: random)
    --generation N       Must rise when a service changes (default: 0)
    --ttl SECONDS        How long it outlives a lost connection (default: 30)
    --leave              Leave at once: the service becomes an orphan, which
                         disappears when its TTL has passed
  unpublish HEX          Withdraw the service with this id
  ping [-c COUNT] [-i SECONDS]
                         Time the server's answer
    -c, --count COUNT    How often; prints a summary (default: 1)
    -i, --interval SECONDS
                         Pause between two pings (default: 1)
  top [--interval SECONDS]
                         Full-screen live view of services, subscriptions and
                         clients; ? tells its keys
    --interval SECONDS   Between two looks at lists and latency (default: 2)
  bench SERVICES SUBSCRIPTIONS [--clients N] [--seconds S]
                         Time operations while there are so many services and
                         subscriptions. WARNING: this loads the server and
                         shows its services to all of its clients; mind what
                         you run it against
    --clients N          Then load it with N clients at once (default: 0)
    --seconds S          For so long (default: 10)

Options before the command:
  -i, --client-id HEX    Client id (default: random)
  -p, --protocol 2|3     Speak this protocol version only
  -n, --server-index N   Use this server of the domain (from 0; default: 0)
  -a, --addresses        Print the servers of DOMAIN, one a line, then exit
  -l, --list-domains     Print the names of all domains, then exit
      --version          Print versions, then exit
Options before or behind the command:
      --json             Print JSON: an array for lists, else one object a line;
                         errors then go to standard error
      --timeout SECONDS  Longest wait for connection and answer (default: 10)
  -h, --help             Print this text, then exit

A VALUE that reads as a decimal integer is one; |42| is the text 42; a name
that is repeated has several values. Behind "--" a word may begin with "-".
Ids are hexadecimal. Quote filters: the shell takes ( ) & | * for itself.

Environment: PAF_DOMAINS; XCM_TLS_CERT, the directory of TLS files; NO_COLOR;
PAFC_HISTORY, the file of lines typed at the prompt (empty: none is kept).

Examples:
  pafc ux:pathfinder
  pafc ux:pathfinder services
  pafc ux:pathfinder services '(&(name=print*)(port>1023))'
  pafc ux:pathfinder subscribe '(!(type=_ipp._tcp))'
  pafc tcp:192.0.2.7:4711 publish --ttl 60 name=db port=5432 'zip=|01234|'
  pafc tcp:localhost:4711 publish --leave name=job done=1
  pafc --json ux:pathfinder services | jq -r '.[].id'
  pafc ux:pathfinder ping -c 10 -i 0.2
  pafc ux:pathfinder bench 10000 1000 --clients 50 --seconds 30

Exit code: 0 if all went well, also after an interrupt of publish, subscribe,
top or ping; 1 after an error, which is printed on standard output. Interactive
and bench: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP. Interactive:
143 if the server has gone.`;
