import type { Command, CommandOption } from "./command.ts";

const json: CommandOption = { summary: "print JSON, for machines" };
const timeout: CommandOption = {
  value: "DURATION",
  summary: "give up after this long (default 60s), with exit code 75",
};

/** What to do instead of giving a secret as an argument. */
function noSecretArguments(what: string): string {
  return `Secrets are never taken from arguments: every user of this machine can see them there, and the shell keeps them. Pipe ${what} in, or type ${what} at the prompt. If you have just given one, treat it as known to others.`;
}

/** Every command, in the order in which the help lists them. */
export const commands: readonly Command[] = [
  {
    name: "start",
    summary: "run the sidecar",
    description:
      "Runs the sidecar until SIGTERM or SIGINT, then drains: it keeps accepting for PRESTO_DRAIN_MIN and has finished by PRESTO_DRAIN_MAX. Exit code 0 after a clean drain, 1 if calls were cut off, 130 or 143 after a second signal. SIGHUP reads what comes from files anew.",
    options: {},
    examples: ["PRESTO_URL=https://presto.example PRESTO_TOKEN_FILE=/run/secrets/token presto-sidecar start"],
    stopsItself: true,
    load: async () => (await import("./start.ts")).start,
  },
  {
    name: "check",
    summary: "check the configuration and print it, secrets masked",
    description:
      "Reads the configuration and opens nothing: no listener, no store, no connection. Exit code 0 if it is sound, 78 if not; all mistakes are named at once.",
    options: { json },
    examples: ["presto-sidecar check", "presto-sidecar check --json"],
    load: async () => (await import("./check.ts")).check,
  },
  {
    name: "doctor",
    summary: "look at everything that must hold, and say how to mend what does not",
    description:
      "Prints a line for each thing that must hold, from the configuration to the address that Presto sees, with OK, WARN, FAIL or SKIP and its mend. Runs beside a sidecar or without one, changes nothing, and asks Presto nothing that acts. Where the address is not registered, prints the notice to send to Presto. Exit code 0 if nothing fails; else the first of these that does: 78 configuration, keys or this machine's clock; 77 refused by Presto: token dead, address not registered, alarm; 69 Presto or the store can't be reached; 66 no token.",
    options: {
      contact: { value: "ADDRESS", summary: "how Presto can reach you, for the notice" },
      timeout: {
        value: "DURATION",
        summary:
          "longest time for all of it (default: PRESTO_CONNECT_TIMEOUT and PRESTO_TIMEOUT together, and 5s)",
      },
      json,
    },
    examples: ["presto-sidecar doctor", "presto-sidecar doctor --json --contact ops@bank.example"],
    load: async () => (await import("./doctor.ts")).doctor,
  },
  {
    name: "status",
    summary: "show what a running sidecar says of itself",
    description:
      "Reads the admin listener (PRESTO_ADMIN_LISTEN), and says in words what serves, how long the token lives, and what to look at. Exit code 69 if no sidecar answers there.",
    options: {
      watch: { summary: "again every 2 s, until it is stopped; a sidecar that is away is waited for" },
      json,
    },
    examples: ["presto-sidecar status", "presto-sidecar status --watch", "presto-sidecar status --json"],
    load: async () => (await import("./status.ts")).status,
  },
  {
    name: "token issue",
    summary: "have Presto issue a token, which revokes all others",
    description:
      "Says what would be revoked, asks, and then has Presto issue a token and stores it, in this process and under the lock of a renewal; a sidecar that runs follows the store. For roles that issue. Exit code 69 if Presto or the store can't be reached, 75 while another process renews, 77 if Presto, the role or the alarm refuses it.",
    options: {
      yes: { summary: "do not ask: for scripts" },
      json,
    },
    examples: ["presto-sidecar token issue", "presto-sidecar token issue --yes --json"],
    stopsItself: true,
    load: async () => (await import("./token-issue.ts")).tokenIssue,
  },
  {
    name: "token renew",
    summary: "renew the token, by the sidecar that runs here if one does",
    description:
      "Asks the sidecar on the control listener (PRESTO_CONTROL_LISTEN) to renew, and waits for the end. Where none answers, this process renews as token issue does. Exit code 69 if Presto, the store or the sidecar can't be reached, 75 if it is still under way or another process renews, 77 if Presto, the role or the alarm refuses it.",
    options: {
      force: {
        summary: "clear the alarm that somebody else issues tokens on this account, and go on",
      },
      wait: {
        value: "DURATION",
        summary: "how long to wait for a sidecar that runs (default 30s, at most 10m); it goes on by itself",
      },
      json,
    },
    examples: ["presto-sidecar token renew", "presto-sidecar token renew --force --wait 2m"],
    stopsItself: true,
    load: async () => (await import("./token-renew.ts")).tokenRenew,
  },
  {
    name: "token import",
    summary: "put a token into the store",
    description:
      "Reads the token from a hidden prompt or from standard input, never from an argument, and stores it as the next generation. Without --expires the expiry is unknown. Where PRESTO_URL is set, says whether Presto accepts the token; it is stored either way. Exit code 65 if the bytes can't be a token, 75 while the store is locked or a renewal is under way, 77 if the store is read-only, 78 if the record there can't be read (it is left alone).",
    options: {
      name: { value: "NAME", summary: "the name under which Presto knows the token" },
      expires: { value: "YYYY-MM-DD", summary: "the day at whose start (00:00 UTC) the token stops working" },
      json,
    },
    examples: ["presto-sidecar token import --expires 2027-02-22", "presto-sidecar token import < token.txt"],
    insteadOfArguments: noSecretArguments("the token"),
    load: async () => (await import("./token-import.ts")).tokenImport,
  },
  {
    name: "token show",
    summary: "show the stored token's name, dates and fingerprint",
    description:
      "Reads the store; the token itself is never printed. Exit code 66 if there is no token, 78 if the record can't be read: the message says why, and what to do.",
    options: { json },
    examples: ["presto-sidecar token show", "presto-sidecar token show --json"],
    load: async () => (await import("./token-show.ts")).tokenShow,
  },
  {
    name: "credentials import",
    summary: "put the account's e-mail and password into PRESTO_CREDENTIALS",
    description:
      'Reads both from prompts, or from standard input as JSON: {"email": "...", "password": "..."}; never from an argument. Stores them sealed. Exit code 65 if they can\'t be an account\'s, 75 while another process renews or writes, 77 while a password reset is not settled, or where PRESTO_CREDENTIALS can\'t be written.',
    options: { json },
    examples: ["presto-sidecar credentials import", "presto-sidecar credentials import < account.json"],
    insteadOfArguments: noSecretArguments("them"),
    load: async () => (await import("./credentials-import.ts")).credentialsImport,
  },
  {
    name: "password reset",
    summary: "change the account's password at Presto and in PRESTO_CREDENTIALS",
    description:
      "Takes the new password from a hidden prompt, asked twice, or from standard input, or makes one. It is stored as the pending one before Presto is asked, and takes the old one's place when Presto has answered. If an earlier reset has no known end, that one is settled with its own new password, and no other is made. Exit code 65 if the new password breaks Presto's rules, 69 if Presto or the store can't be reached or the end is not known, 75 while a renewal is under way, 77 if Presto refuses.",
    options: {
      generate: { summary: "make a new password; it stands sealed in the store, and is never shown" },
      json,
    },
    examples: ["presto-sidecar password reset", "presto-sidecar password reset --generate"],
    insteadOfArguments: noSecretArguments("it"),
    stopsItself: true,
    load: async () => (await import("./password-reset.ts")).passwordReset,
  },
  {
    name: "outcomes",
    summary: "list the calls that move money whose end is not known",
    description:
      "Asks the sidecar on the control listener (PRESTO_CONTROL_LISTEN) for calls that move money and ended unclear, with age and what Presto said last, and for those that were found out last. Exit code 69 if no sidecar answers or the control listener is off, 75 if --wait ran out of time.",
    options: {
      wait: { summary: "wait until the end of each is known" },
      timeout,
      json,
    },
    examples: ["presto-sidecar outcomes", "presto-sidecar outcomes --wait --timeout 2m"],
    load: async () => (await import("./outcomes.ts")).outcomes,
  },
  {
    name: "outcomes resolve",
    summary: "say what became of such a call, where a person knows it",
    description:
      "Tells the sidecar that the transaction has completed (it is not sent again) or failed (it may be sent again), and asks before. A call that named no transaction goes by its request id. Exit code 69 if no sidecar answers or the control listener is off, 75 while a call for it is under way, 77 if none is open.",
    operands: { name: "REFERENCE", most: 1 },
    options: {
      as: { value: "completed|failed", summary: "what became of it" },
      yes: { summary: "do not ask: for scripts" },
      json,
    },
    examples: ["presto-sidecar outcomes resolve TRX1 --as completed"],
    load: async () => (await import("./outcomes.ts")).outcomesResolve,
  },
  {
    name: "keygen",
    summary: "print a new PRESTO_STORE_KEY",
    description:
      "Prints 32 random bytes as base64. Keep them where only the sidecar can read them: whoever has them can open the store.",
    options: {},
    examples: ["(umask 077; presto-sidecar keygen > store.key)"],
    load: async () => (await import("./keygen.ts")).keygen,
  },
  {
    name: "audit verify",
    summary: "check files of the record of money calls, and their chain",
    description:
      "Reads files that PRESTO_AUDIT has written, in any order, those of commands too, and checks every line and how the files go on from one another. Name all files of a chain that are still there. With --head, which the sidecar logs and shows as a metric now and then, it also finds an end that was cut off or written anew; without it nobody can, and it says so. Exit code 0 if nothing is wrong, 65 with the first line that was altered, is missing or was cut, 71 if a file can't be read.",
    options: {
      head: { value: "SEQ:HASH", summary: "the chain's head, as it was kept elsewhere" },
      json,
    },
    operands: { name: "FILE...", most: 10_000 },
    examples: [
      "presto-sidecar audit verify /var/log/presto/audit.jsonl*",
      "presto-sidecar audit verify --head 1042:9f86...0a08 audit.jsonl.000001 audit.jsonl",
    ],
    load: async () => (await import("./audit-verify.ts")).auditVerify,
  },
  {
    name: "wait",
    summary: "wait until a sidecar is ready",
    description:
      "Asks the admin listener until it says that it is ready. Exit code 75 if the time ran out, with the reason, 69 if the process of --pid has ended.",
    options: {
      timeout,
      pid: { value: "PID", summary: "give up as soon as this process has ended: the sidecar's own" },
    },
    examples: ["presto-sidecar wait --timeout 30s"],
    load: async () => (await import("./status.ts")).wait,
  },
  {
    name: "drain",
    summary: "take no more calls, and wait until none is in flight",
    description:
      "Asks the control listener (PRESTO_CONTROL_LISTEN) to drain, and waits until no call is under way; the sidecar stays up. Exit code 69 if no sidecar answers, 75 if the time ran out, 78 if the control listener is off.",
    options: { timeout },
    examples: ["presto-sidecar drain"],
    load: async () => (await import("./drain.ts")).drain,
  },
  {
    name: "quit",
    summary: "drain a sidecar and end it",
    description:
      "Asks the control listener (PRESTO_CONTROL_LISTEN) to drain and exit, and waits until the sidecar has gone. Exit code 69 if no sidecar answers, 75 if the time ran out, 78 if the control listener is off.",
    options: { timeout },
    examples: ["presto-sidecar quit"],
    load: async () => (await import("./drain.ts")).quit,
  },
  {
    name: "healthcheck",
    summary: "ask a sidecar once whether it is ready",
    description:
      "Asks the admin listener once. Exit code 0 if it is ready (with --live: alive), else 1, with the reason.",
    options: { live: { summary: "ask only whether it is alive" } },
    examples: ["presto-sidecar healthcheck", "presto-sidecar healthcheck --live"],
    load: async () => (await import("./status.ts")).healthcheck,
  },
  {
    name: "sandbox",
    summary: "run a stand-in for Presto on this machine",
    description:
      "Runs a stand-in for the Presto API on loopback, with a certificate authority of its own, and prints how to point a sidecar at it. Exit code 64 in the image of the sidecar, which leaves it out.",
    options: {
      port: { value: "PORT", summary: "port of the API (default: a free one)" },
      "control-port": {
        value: "PORT",
        summary: "port of the endpoint that switches faults on (default: a free one)",
      },
      directory: {
        value: "FOLDER",
        summary: "where to put the CA certificate and the token (default: a temporary folder)",
      },
    },
    examples: ["presto-sidecar sandbox", "presto-sidecar sandbox --port 7443 --directory ./sandbox"],
    stopsItself: true,
    load: async () => (await import("./sandbox.ts")).sandbox,
  },
  {
    name: "demo",
    summary: "show one wallet top-up through a real sidecar",
    description:
      "Starts the sandbox and a sidecar, and sends one wallet top-up through them, telling each step. On a terminal both stay up for calls by hand until Ctrl-C. Exit code 0 if the money moved exactly once, else 1; 64 in the image of the sidecar, which leaves it out.",
    options: { once: { summary: "end after the top-up, on a terminal too" } },
    examples: ["presto-sidecar demo", "presto-sidecar demo --once"],
    stopsItself: true,
    load: async () => (await import("./demo.ts")).demo,
  },
  {
    name: "completion",
    summary: "print what makes a shell complete commands and options",
    description:
      "Prints a script for the shell that is named, made from the table of commands. Have the shell read it at its start.",
    options: {},
    operands: { name: "bash|zsh|fish", most: 1 },
    examples: [
      "source <(presto-sidecar completion bash)",
      "source <(presto-sidecar completion zsh)",
      "presto-sidecar completion fish | source",
    ],
    load: async () => (await import("./completion.ts")).createCompletion(commands),
  },
];
