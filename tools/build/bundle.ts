import { readFileSync } from "node:fs";
import { basename, join, relative } from "node:path";

import { build, type BuildOptions, type Metafile, type Plugin, transform } from "esbuild";

/** A file of the build, and its path below the folder. */
export interface BuiltFile {
  readonly path: string;
  readonly text: string;
}

export interface Bundle {
  readonly files: readonly BuiltFile[];
  /** What went in, by paths from the root of the checkout. */
  readonly inputs: readonly string[];
}

const commandTable = "src/cli/commands.ts";
/** Commands that only ask a running sidecar: they run every few seconds, and load nothing of the proxy. */
const light = ["status", "drain"];
/** What the sidecar itself runs, its configuration, and what needs nothing at all. */
const alone = ["start", "check", "keygen"];

/**
 * Each command that is imported when it is asked for would be a file of its own, and each set of commands that share
 * something one more: forty files, where a start reads a dozen. They are put together instead.
 */
const groupCommands: Plugin = {
  name: "group-commands",
  setup(plugin) {
    const imported = [...readFileSync(commandTable, "utf8").matchAll(/import\("\.\/([\w-]+)\.ts"\)/g)];
    const names = new Set(imported.map(([, name = ""]) => name));
    const groups = { light, commands: [...names].filter((name) => ![...light, ...alone].includes(name)) };
    plugin.onResolve({ filter: /^\.\// }, ({ kind, importer, path }) => {
      if (kind !== "dynamic-import" || !importer.endsWith(commandTable)) return undefined;
      const group = Object.entries(groups).find(([, members]) => members.includes(basename(path, ".ts")));
      return group && { path: group[0], namespace: "group" };
    });
    plugin.onLoad({ filter: /./, namespace: "group" }, ({ path }) => ({
      resolveDir: "src/cli",
      contents: (path === "light" ? groups.light : groups.commands)
        .map((name) => `export * from "./${name}.ts";`)
        .join("\n"),
    }));
  },
};

/** A probe of every few seconds: what it runs is in one file, in place of the two dozen that others share. */
const healthcheckPart = "parts/healthcheck.js";

const leaveOthersOut: Plugin = {
  name: "leave-others-out",
  setup(plugin) {
    plugin.onResolve({ filter: /./ }, ({ kind, path }) =>
      kind === "dynamic-import" && path !== "./status.ts" ? { path, namespace: "others" } : undefined,
    );
    plugin.onLoad({ filter: /./, namespace: "others" }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${path} is not in ${healthcheckPart}.`)});`,
    }));
  },
};

/**
 * undici without fetch, caches, mocks and interceptors: half of all code. What is used of it and is not here fails
 * the build where `import` names it; @fastify/reply-from, which uses `require`, asks at run time for these only.
 */
const cutUndici: Plugin = {
  name: "cut-undici",
  setup(plugin) {
    const classes = {
      Agent: "agent",
      BalancedPool: "balanced-pool",
      Client: "client",
      Dispatcher: "dispatcher",
    };
    const all = { ...classes, Pool: "pool", ProxyAgent: "proxy-agent" };
    plugin.onResolve({ filter: /^undici$/ }, () => ({ path: "undici", namespace: "cut" }));
    plugin.onLoad({ filter: /./, namespace: "cut" }, () => ({
      resolveDir: "node_modules/undici",
      contents: [
        ...Object.entries(all).map(
          ([name, file]) => `export { default as ${name} } from "./lib/dispatcher/${file}.js";`,
        ),
        'export { default as errors } from "./lib/core/errors.js";',
        // Of the ways to send, undici's own index puts all five there; the servers of stores are asked by this one.
        'import Dispatcher from "./lib/dispatcher/dispatcher.js"; import request from "./lib/api/api-request.js";',
        "Dispatcher.prototype.request = request;",
      ].join("\n"),
    }));
  },
};

/**
 * What others load when they start and use for what is never asked of them here: schemas of routes, WebSockets, trace
 * ids beside a metric, HTTP/2. It is loaded when it is used. In the text REAL stands for the name.
 */
const factory = "module.exports=(...a)=>{let made;return(...b)=>(made??=require(REAL)(...a))(...b)};";
const later = (name: string): string => `${name}:(...a)=>require(REAL).${name}(...a)`;
const seldomUsed: Readonly<Record<string, string>> = {
  "@fastify/ajv-compiler": factory,
  "@fastify/fast-json-stringify-compiler": factory,
  "@opentelemetry/api":
    "module.exports={get trace(){return require(REAL).trace},get context(){return require(REAL).context}};",
  ws: "module.exports=new Proxy(class{},{get:(_,k)=>require(REAL)[k],construct:(_,a)=>new(require(REAL))(...a)});",
  "./client-h2.js": "module.exports=(...a)=>require(REAL)(...a);",
  // CANCEL of RFC 9113, section 7, is the one constant that is read at once.
  "node:http2": `module.exports={constants:{NGHTTP2_CANCEL:8},${["connect", "createServer", "createSecureServer"].map(later).join(",")}};`,
};

const putOff: Plugin = {
  name: "put-off",
  setup(plugin) {
    plugin.onResolve({ filter: /./ }, ({ path, namespace, importer, resolveDir }) =>
      // Once it is used it is used in earnest.
      !Object.hasOwn(seldomUsed, path) ||
      namespace === "seldom" ||
      importer.endsWith("client-h2.js") ||
      /node_modules\/@opentelemetry\/|src\/observe\/traces\.ts$/.test(importer)
        ? undefined
        : { path, namespace: "seldom", pluginData: resolveDir },
    );
    plugin.onLoad({ filter: /./, namespace: "seldom" }, ({ path, pluginData }) => ({
      resolveDir: String(pluginData),
      contents: seldomUsed[path]?.replaceAll("REAL", JSON.stringify(path)) ?? "",
    }));
  },
};

/** What stands in a file of src in the place of something else: for a program that is wrong on purpose. */
export interface Replacement {
  /** Path below src/. */
  readonly file: string;
  /** It must stand there once. */
  readonly from: string;
  readonly to: string;
}

function replaceIn(replacements: readonly Replacement[]): Plugin {
  return {
    name: "replace",
    setup(plugin) {
      for (const file of new Set(replacements.map((one) => one.file))) {
        plugin.onLoad({ filter: new RegExp(`/src/${file.replaceAll(".", "\\.")}$`) }, ({ path }) => {
          let contents = readFileSync(path, "utf8");
          for (const { from, to } of replacements.filter((one) => one.file === file)) {
            if (contents.split(from).length !== 2)
              throw new Error(`src/${file} does not have this once: ${from}`);
            contents = contents.replace(from, () => to);
          }
          return { contents, loader: "ts" };
        });
      }
    },
  };
}

function buildModules(options: BuildOptions) {
  return build({
    ...options,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node24",
    // Optional: not there in the image of the sidecar.
    external: ["@peculiar/x509"],
    // Names stay: a stack names the functions that it went through, and errors keep their classes'.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
    sourcemap: "inline",
    sourcesContent: false,
    metafile: true,
    write: false,
  });
}

/**
 * The program as a few CommonJS files. esbuild shares code between files in ES modules only; these are turned into
 * CommonJS one by one, because it loads in two thirds of the time, and in 4 MiB less.
 */
export async function bundle(replacements: readonly Replacement[] = []): Promise<Bundle> {
  const program = await buildModules({
    entryPoints: { main: "src/main.ts" },
    splitting: true,
    outdir: "dist",
    chunkNames: "parts/[name]-[hash]",
    plugins: [replaceIn(replacements), groupCommands, cutUndici, putOff],
  });
  const healthcheck = await buildModules({
    entryPoints: ["src/cli/run.ts"],
    outfile: join("dist", healthcheckPart),
    plugins: [replaceIn(replacements), leaveOthersOut],
  });
  const files = await Promise.all(
    [...program.outputFiles, ...healthcheck.outputFiles].map(({ path, text }) =>
      toCommonJs(relative("dist", path), text),
    ),
  );
  return { files: [...files.flat(), await bundleLoader()], inputs: inputsOf(program.metafile) };
}

function inputsOf({ outputs }: Metafile): readonly string[] {
  const used = Object.values(outputs).flatMap(({ inputs }) => Object.entries(inputs));
  return [...new Set(used.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path))];
}

async function toCommonJs(path: string, text: string): Promise<readonly BuiltFile[]> {
  // The entry must be read by an old Node, which then says what is missing.
  const isEntry = path === "main.js";
  const required = text.replaceAll(/\bimport\(("[^"]+")\)/g, (_, name: string) => {
    // What is not in a package needs no ES module loader: that would be 10 ms of a start.
    if (!/^"(\.|node:)/.test(name)) return `require("./load.js").importPackage(${name})`;
    if (!isEntry) return `Promise.resolve().then(()=>require(${name}))`;
    // The loader, from which on all others are loaded by it.
    const part = `process.argv[2]==="healthcheck"?"./${healthcheckPart}":${name}`;
    return `(require("./parts/load.js"),Promise.resolve().then(()=>require(${part})))`;
  });
  const moduleUrl = text.includes("import.meta.url")
    ? 'const moduleUrl=require("node:url").pathToFileURL(__filename).href;'
    : "";
  const { code, map } = await transform(required, {
    format: "cjs",
    platform: "node",
    target: isEntry ? "node12" : "node24",
    minifyWhitespace: true,
    minifySyntax: true,
    define: { "import.meta.url": "moduleUrl" },
    ...(isEntry
      ? {}
      : {
          // As Node's own loader calls a module, but in the file: see load-parts.ts.
          banner: `(function(exports,require,module,__filename,__dirname){${moduleUrl}`,
          footer: "})",
        }),
    sourcemap: "external",
    sourcesContent: false,
    sourcefile: path,
  });
  const name = basename(path);
  return [
    { path, text: `${code}//# sourceMappingURL=${name}.map\n` },
    { path: `${path}.map`, text: map },
  ];
}

async function bundleLoader(): Promise<BuiltFile> {
  const { outputFiles } = await build({
    entryPoints: ["tools/build/load-parts.ts"],
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node24",
    define: { "import.meta.filename": "__filename", "import.meta.dirname": "__dirname" },
    minifyWhitespace: true,
    write: false,
  });
  return { path: "parts/load.js", text: outputFiles[0]?.text ?? "" };
}
