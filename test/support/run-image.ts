import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("../../tools/ci/run-image.sh", import.meta.url));

/** The image as tools/ci/image.sh has built and unpacked it. */
export interface UnpackedImage {
  /** Folder that is its root. */
  readonly root: string;
  /** What a container engine reads of it. */
  readonly config: {
    readonly User: string;
    readonly Env: readonly string[];
    readonly Entrypoint: readonly string[];
    readonly Cmd: readonly string[];
    readonly StopSignal: string;
    readonly Healthcheck?: { readonly Test: readonly string[] };
    readonly Labels: Readonly<Record<string, string>>;
    readonly ExposedPorts?: object;
    readonly Volumes?: object;
  };
  /** Digests of its layers, unpacked, from the base's first on. */
  readonly layers: readonly string[];
  /** All that its making has left in it. */
  readonly description: string;
}

/** An image, or undefined where it was not built: tools/ci/image.sh names its root and its description in two variables. */
export function unpackedImage(name: "SIDECAR_IMAGE" | "SANDBOX_IMAGE"): UnpackedImage | undefined {
  const { [`${name}_ROOT`]: root, [`${name}_JSON`]: file } = process.env;
  if (root === undefined || file === undefined) return undefined;
  const description = readFileSync(file, "utf8");
  return { root, ...read(description), description };
}

function read(description: string): Pick<UnpackedImage, "config" | "layers"> {
  const { Docker } = JSON.parse(description);
  return { config: Docker.config, layers: Docker.rootfs.diff_ids };
}

/** The layers of an image that was built of the same commit once more. */
export function layersOfRepeated(): readonly string[] {
  const { REPEATED_IMAGE_JSON: file = "" } = process.env;
  return read(readFileSync(file, "utf8")).layers;
}

/** How to run one container of the image. */
export interface Run {
  /** Instead of the image's own arguments. */
  readonly args?: readonly string[];
  /** Instead of the image's own entry point. */
  readonly entrypoint?: readonly string[];
  /** Beside the image's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Folder of this machine that is writable at /volume. */
  readonly volume: string;
  /** Instead of the image's own: `UID:GID`. */
  readonly user?: string;
}

function commandLine({ root, config }: UnpackedImage, run: Run): string[] {
  const [program = "", ...first] = run.entrypoint ?? config.Entrypoint;
  const rest = run.args ?? config.Cmd;
  const given = Object.entries(run.env ?? {}).map(([name, value]) => `${name}=${value}`);
  return [
    root,
    run.volume,
    ...config.Env,
    ...given,
    "--",
    findProgram(program, root, config.Env),
    ...first,
    ...rest,
  ];
}

/** As an engine finds an entry point without a slash: in the folders of the image's own PATH. */
function findProgram(name: string, root: string, env: readonly string[]): string {
  if (name.startsWith("/")) return name;
  const folders = (env.findLast((line) => line.startsWith("PATH=")) ?? "PATH=")
    .slice("PATH=".length)
    .split(":");
  const folder = folders.find((candidate) => existsSync(join(root, candidate, name)));
  if (folder === undefined) throw new Error(`No ${name} in ${folders.join(":")} of the image.`);
  return join(folder, name);
}

/** A container that is up. */
export interface RunningContainer {
  /** Written to standard output so far. */
  out(): string;
  /** Written to standard error so far. */
  err(): string;
  /** Its first process, by this machine's count; undefined if there is none yet, or none any more. */
  pid(): number | undefined;
  /** Exit status, once it has ended; null if it was killed from outside. */
  readonly ended: Promise<number | null>;
  /** Ends it at once, if it is still there. */
  kill(): void;
}

/** Starts a container in the background. */
export function startImage(image: UnpackedImage, run: Run): RunningContainer {
  const child = spawn(script, commandLine(image, run), {
    env: { PATH: process.env["PATH"], RUN_AS: run.user ?? image.config.User },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const written = { out: "", err: "" };
  child.stdout.on("data", (chunk) => (written.out += String(chunk)));
  child.stderr.on("data", (chunk) => (written.err += String(chunk)));

  // The script has become unshare, whose only child is the container's first process.
  const pid = (): number | undefined => {
    const list = `/proc/${child.pid}/task/${child.pid}/children`;
    return existsSync(list) ? Number.parseInt(readFileSync(list, "utf8"), 10) || undefined : undefined;
  };
  return {
    out: () => written.out,
    err: () => written.err,
    pid,
    ended: new Promise((resolve) => {
      child.once("close", resolve);
    }),
    kill: () => {
      const first = pid();
      // unshare waits for it, and passes no signal on.
      if (first === undefined) child.kill("SIGKILL");
      else process.kill(first, "SIGKILL");
    },
  };
}

/** Runs a container to its end, or for 30 s. */
export async function runImage(
  image: UnpackedImage,
  run: Run,
): Promise<{ readonly status: number | null; readonly out: string; readonly err: string }> {
  const container = startImage(image, run);
  const limit = setTimeout(container.kill, 30_000);
  const status = await container.ended;
  clearTimeout(limit);
  return { status, out: container.out(), err: container.err() };
}
