import { Visitor } from "@swc/core/Visitor.js";
import type { IConfiguration, IRegularForbiddenRuleType } from "dependency-cruiser";

type Row = Readonly<Record<string, string>>;

/**
 * The map of `src`. A row imports from the rows below it, and nothing else; what stands in one row
 * knows nothing of its neighbours. A name is a folder, a file of `src`, or both: `app` is `src/app.ts`
 * and `src/app/`. Types count: who needs another's types depends on it.
 */
export const layers: readonly Row[] = [
  { main: "the first file that runs" },
  { cli: "one file for each command, and what commands share" },
  { app: "puts the parts together, and takes them apart again" },
  {
    admin: "the admin and the control listener: readiness, health, status, metrics, verbs",
    inbound: "what a caller meets: HTTP server, checks, body, reply",
    config: "the only reader of `process.env`; makes the options that the other folders ask for",
    doctor: "what must hold, one finding at a time",
  },
  { observe: "what listens to events: log, metrics, what was seen last" },
  { audit: "the record of money and credentials: its lines, their chain, the files that they stand in" },
  {
    renewal: "how a token is replaced, a file for each state of the protocol, and when",
    "egress-ip": "which address we leave from, and whether Presto lets it in",
    money: "what calls that move money go through beside: guard, record, what became of them",
  },
  { presto: "Presto's own endpoints: issue, reset, and the probe that tells whether a token lives" },
  { upstream: "a call on its way to Presto: the token, the limit, each attempt, what became of it" },
  { token: "the active token, and who waits for one" },
  { store: "where token, credentials and lock are kept: one contract, an adapter for each place" },
  { connect: "how a connection is made: name, TCP, egress proxy, TLS" },
  {
    files: "watching and writing files so that neither a mount's swap nor a crash is missed",
    lib: "what has no domain: waiting, back-off, durations, addresses, JSON",
    listen: "binds TCP ports and Unix sockets",
  },
  {
    policy: "pure functions that say what a caller may do: caller, framing, target, operation, headers",
    errors: "what can go wrong, and what a caller is told of it",
    secret: "a text that is never printed",
    clock: "the only one who asks the system for the time",
  },
];

/** Beside the map: imports nothing else of `src`, and `cli` alone imports it. */
export const sandbox: Row = {
  sandbox: "a stand-in for Presto; code that it shared with us would make the same mistake on both sides",
};

const rows = [...layers.map((row) => Object.keys(row)), Object.keys(sandbox)];

/** A path within one of these. */
function within(...names: readonly string[]): string[] {
  return names.map((name) => `^src/${name}(/|\\.ts$)`);
}

function forbid(
  name: string,
  comment: string,
  from: IRegularForbiddenRuleType["from"],
  to: IRegularForbiddenRuleType["to"],
): IRegularForbiddenRuleType {
  return { name, comment, severity: "error", from, to };
}

const layerRules = rows.flatMap((row, index) =>
  row.map((name) => {
    const below = rows.slice(index + 1).flat();
    const allowed = name === "cli" ? below : below.filter((other) => !(other in sandbox));
    return forbid(
      `layer-${name}`,
      `May import ${allowed.length === 0 ? "nothing else of src" : `what is below it: ${allowed.join(", ")}`}. The map is in tools/lint/layers.ts.`,
      { path: within(name) },
      { dependencyTypes: ["local"], pathNot: within(name, ...allowed) },
    );
  }),
);

/** All that is decided about imports. dependency-cruiser reads it: `npm run layers`. */
export default {
  forbidden: [
    ...layerRules,
    forbid(
      "on-the-map",
      "A new folder has a row: give it one in tools/lint/layers.ts, with what it is.",
      { path: "^src/", pathNot: within(...rows.flat()) },
      {},
    ),
    forbid(
      "no-cycle",
      "Two files that need each other, be it for types, are one idea or lack a third.",
      {},
      { circular: true },
    ),
    forbid(
      "shipped",
      "Only `dependencies` of package.json are installed where this runs.",
      { path: "^src/" },
      { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-peer", "npm-unknown"] },
    ),
    forbid(
      "optional",
      "`optionalDependencies` are not in the image of the sidecar: the sandbox alone has any, and does without.",
      { path: "^src/", pathNot: "^src/sandbox/certificates\\.ts$" },
      { dependencyTypes: ["npm-optional"] },
    ),
    forbid("leads-somewhere", "No rule can judge what isn't found.", {}, { couldNotResolve: true }),
    forbid(
      "config-asks",
      "A folder owns the type of its options, and config makes objects of it: the other way round everything hangs on everything. Only app and cli know config.",
      { path: "^src/", pathNot: within("config", "app", "cli") },
      { path: within("config") },
    ),
    forbid(
      "policy-is-pure",
      "What is allowed is decided by pure functions, so that properties can be tested over millions of inputs. Pass the value in.",
      { path: within("policy") },
      {
        dependencyTypes: ["core"],
        dependencyTypesNot: ["type-only"],
        pathNot: "^(node:)?(buffer|util|url|querystring)$",
      },
    ),
    forbid(
      "policy-knows-no-framework",
      "As policy-is-pure; and what a package calls a request is not what we decide about.",
      { path: within("policy") },
      { path: "node_modules/" },
    ),
    // One place makes connections, so that each leaves by the source address and the egress proxy that are
    // configured, with certificates verified. Whoever puts route, trust and TLS together has made a second.
    forbid(
      "one-connector",
      "connect/open.ts makes the connector, from all that is configured. Take the one that it gave.",
      { path: "^src/", pathNot: "^src/connect/open\\.ts$" },
      { path: "^src/connect/connector\\.ts$", dependencyTypesNot: ["type-only"] },
    ),
    forbid(
      "no-own-connection",
      "These are the parts of a connection. Take the connector of connect/open.ts.",
      { path: "^src/", pathNot: "^src/connect/" },
      {
        path: "^src/connect/",
        pathNot:
          "^src/connect/(direct|errors|local-address|lookup|open|proxy-url|resolver|stream-end|trust)\\.ts$",
        dependencyTypesNot: ["type-only"],
      },
    ),
    forbid(
      "direct-for-stores",
      "Only the server of a store is reached past the configured way. Take the connector of connect/open.ts.",
      { path: "^src/", pathNot: "^src/store/remote\\.ts$" },
      { path: "^src/connect/direct\\.ts$", dependencyTypesNot: ["type-only"] },
    ),
    forbid(
      "tracing-room",
      "What speaks OpenTelemetry is one file: the rest tells it by events, and costs nothing where no spans are wanted.",
      { path: "^src/", pathNot: "^src/observe/traces\\.ts$" },
      { path: "node_modules/@opentelemetry/" },
    ),
    forbid(
      "tracing-late",
      "The SDK is large, and few want spans: `import()` that file where they are asked for.",
      { path: "^src/" },
      { path: "^src/observe/traces\\.ts$", dynamic: false, dependencyTypesNot: ["type-only"] },
    ),
  ],
  options: {
    // TypeScript 7 has no programming interface that dependency-cruiser could use; swc reads the same syntax.
    // It sees no `import("…")` in a type and no computed one: the linter forbids both.
    parser: "swc",
    doNotFollow: { path: "node_modules/" },
  },
} satisfies IConfiguration;

// oxlint-disable-next-line typescript/no-deprecated -- it is what dependency-cruiser goes through swc's tree with
const visitor = Visitor.prototype;
const { visitStatement } = visitor;

/** A statement that swc's parser knows, and its visitor stops at. */
interface Using {
  readonly type: "UsingDeclaration";
  readonly decls: Parameters<typeof visitor.visitVariableDeclarators>[0];
}

function isUsing(statement: { readonly type: string }): statement is Using {
  return statement.type === "UsingDeclaration";
}

visitor.visitStatement = function visit(statement) {
  const known: { readonly type: string } = statement;
  if (!isUsing(known)) return visitStatement.call(this, statement);
  this.visitVariableDeclarators(known.decls);
  return statement;
};
