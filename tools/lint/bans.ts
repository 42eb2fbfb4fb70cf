/** What the house forbids in code, and why. `.oxlintrc.json` says in which folders; imports are judged by layers.ts. */
export interface Ban {
  /** Where in the syntax tree: an esquery selector. */
  readonly selector: string;
  /** Identifiers that the selector finds count only where no import or declaration gives them another meaning. */
  readonly global?: true;
  /** Shown to whoever breaks it: the reason, then what to do. */
  readonly message: string;
}

const onGlobal = "MemberExpression[object.name=/^(globalThis|global)$/]";
const webClients = "fetch|XMLHttpRequest|WebSocket|EventSource";
const networkModules = "/^(node:)?(net|tls|http|https|http2|dgram)$/";
const time = "setTimeout|setInterval|setImmediate|performance|scheduler";
const clients =
  "Pool|Client|Agent|BalancedPool|RoundRobinPool|ProxyAgent|EnvHttpProxyAgent|RetryAgent|Socks5ProxyAgent";

export const bans = {
  "no-environment": {
    selector:
      "MemberExpression[object.name='process'][property.name='env'], " +
      "MemberExpression[object.name='process'][property.value='env'], " +
      "VariableDeclarator[init.name='process'] Property[key.name='env'], " +
      "ImportDeclaration[source.value=/^(node:)?process$/]",
    message:
      "One reader of the environment makes the configuration checkable in one place. Ask for the value as an option; src/config reads it.",
  },
  "no-global-fetch": {
    selector: `Identifier[name=/^(${webClients})$/], ${onGlobal}[property.name=/^(${webClients})$/]`,
    global: true,
    message:
      "The global client obeys its own dispatcher, follows redirects and has no pins: a token could leave by it. Use the connections that were passed in.",
  },
  "no-undici-globals": {
    selector:
      "ImportDeclaration[source.value='undici'][importKind!='type'] > ImportSpecifier[importKind!='type']" +
      "[imported.name=/^(fetch|request|stream|pipeline|connect|upgrade|setGlobalDispatcher|getGlobalDispatcher|install)$/]",
    message:
      "These of undici use its global dispatcher, not our verified connections. Use those that were passed in.",
  },
  "no-own-client": {
    selector:
      `NewExpression[callee.name=/^(${clients})$/], NewExpression[callee.property.name=/^(${clients})$/], ` +
      "MemberExpression[property.name='globalAgent']",
    message:
      "Connections are made in one place, where certificates, pins and time limits are. Take them from upstream/connections.ts.",
  },
  "no-own-dial": {
    selector:
      `ImportDeclaration[source.value=${networkModules}] > ImportSpecifier[imported.name=/^(connect|createConnection|request|get|createSocket)$/], ` +
      `ImportDeclaration[importKind!='type'][source.value=${networkModules}] > ImportDefaultSpecifier, ` +
      `ImportDeclaration[importKind!='type'][source.value=${networkModules}] > ImportNamespaceSpecifier, ` +
      "ImportDeclaration[source.value=/node-http\\.ts$/] > ImportSpecifier[imported.name='request']",
    message:
      "A connection leaves by the configured source address and egress proxy, and verifies the other side: src/connect sees to that. Take its connector; of a module, import by name what you use.",
  },
  "no-system-time": {
    selector: `Identifier[name=/^(${time})$/], ${onGlobal}[property.name=/^(${time})$/]`,
    global: true,
    message:
      "What asks the system for time can't be tested without sleeping. Take a Clock (src/clock.ts) and use its after() and sleep().",
  },
  "no-system-date": {
    selector:
      "MemberExpression[object.name='Date'][property.name='now'], NewExpression[callee.name='Date'][arguments.length=0], " +
      "CallExpression[callee.name='Date'], MemberExpression[object.name='process'][property.name=/^(hrtime|uptime)$/], " +
      "MemberExpression[object.name='AbortSignal'][property.name='timeout']",
    message:
      "What asks the system for time can't be tested without sleeping. Take a Clock (src/clock.ts) and use now() or monotonic().",
  },
  "no-timer-modules": {
    selector:
      "ImportDeclaration[source.value=/^(node:)?timers/], " +
      "ImportDeclaration[source.value=/^(node:)?perf_hooks$/] > ImportSpecifier[imported.name='performance']",
    message: "What asks the system for time can't be tested without sleeping. Take a Clock (src/clock.ts).",
  },
  "no-math-random": {
    selector: "MemberExpression[object.name='Math'][property.name='random']",
    message:
      "Math.random can be guessed, and a test can't seed it. Use node:crypto for what must be unguessable; pass jitter in.",
  },
  "no-cast": {
    selector: "TSAsExpression:not([typeAnnotation.typeName.name='const']), TSTypeAssertion",
    message:
      "A cast is a claim that nobody checks. Narrow with a check, a type guard or `satisfies`; `as const` is allowed.",
  },
  "no-barrel": {
    selector: "ExportAllDeclaration, ExportNamedDeclaration[source]",
    message:
      "A name has one home: with re-exports nobody sees who uses what, and a command loads the whole server. Import from the file that declares it.",
  },
  "no-default-export": {
    selector: "ExportDefaultDeclaration, ExportSpecifier[exported.name='default']",
    message: "A default export has another name in every file that imports it. Export it by name.",
  },
  "no-hidden-import": {
    selector:
      "CallExpression[callee.name=/^(require|createRequire)$/], ImportExpression[source.type!='Literal'], " +
      "MemberExpression[property.name='getBuiltinModule']",
    message:
      "The check of the layers can't see what this pulls in. Use import, or await import() of a plain text.",
  },
  "no-failing-test": {
    selector:
      "MemberExpression[object.name=/^(it|test|describe)$/][property.name='fails'], " +
      "CallExpression[callee.name=/^(it|test|describe)$/] > ObjectExpression > Property[key.name=/^(skip|only|todo|fails)$/]",
    message: "A test that may fail, or that doesn't run, proves nothing. Mend it, or take it out.",
  },
} as const satisfies Record<string, Ban>;
