import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { until } from "./until.ts";

// Runs what a page tells its reader to run, and sees what it says will be seen.
//
//     ```sh run                    is run by bash; what it exports, the next block has
//     ```sh run exit=69            and ends with 69
//     ```sh run stdin=NAME         and reads a text of that name
//     ```sh run until="TEXT"       and runs on, as in a terminal of its own, once it has written that
//     ```sh run ctrlc              after Ctrl-C where the last one runs on
//     ```sh run again              is run again and again until the next block is what it shows
//     ```text shows                lines that the block before has written, in this order; … stands for anything
//
// A comment (`<!-- sh run … -->`, its commands in lines of their own) is run like a block, and no reader sees it:
// it makes what the page is about, a lost file or a killed process.

/** A block of a page that is run or compared. */
export interface PageBlock {
  readonly kind: "run" | "shows";
  /** In the page, from 1. */
  readonly line: number;
  readonly text: string;
  /** What stands behind the kind. */
  readonly options: ReadonlyMap<string, string>;
}

const opening = /^( *)(?:```|<!-- )(sh run|text shows)((?: [a-z]+(?:=(?:"[^"]*"|\S+))?)*)$/;

/** Those blocks of a page that are marked, in their order. */
function blocksOf(markdown: string): readonly PageBlock[] {
  const blocks: PageBlock[] = [];
  const lines = markdown.split("\n");
  for (let at = 0; at < lines.length; at += 1) {
    const [, indent = "", kind, words = ""] = opening.exec(lines[at] ?? "") ?? [];
    if (kind === undefined) continue;
    const line = at + 1;
    const text: string[] = [];
    for (at += 1; !/^ *(```|-->)$/.test(lines[at] ?? "```"); at += 1)
      text.push((lines[at] ?? "").slice(indent.length));
    const options = new Map(
      [...words.matchAll(/ ([a-z]+)(?:=(?:"([^"]*)"|(\S+)))?/g)].map(([, name = "", quoted, bare]) => [
        name,
        quoted ?? bare ?? "",
      ]),
    );
    blocks.push({ kind: kind === "sh run" ? "run" : "shows", line, text: text.join("\n"), options });
  }
  return blocks;
}

/** Does the output have these lines, in this order? `…` stands for anything, a run of blanks for another. */
export function shows(output: string, wanted: string): boolean {
  const plain = (line: string): string => line.trim().replaceAll(/\s+/g, " ");
  const written = output.split("\n").map(plain);
  let at = 0;
  for (const line of wanted.split("\n").map(plain)) {
    if (line === "" || line === "…") continue;
    const pattern = new RegExp(line.split("…").map(RegExp.escape).join(".*"));
    const found = written.findIndex((text, index) => index >= at && pattern.test(text));
    if (found === -1) return false;
    at = found + 1;
  }
  return true;
}

/** Where a page is walked. */
export interface PageShellOptions {
  /** Folder for what goes from block to block. */
  readonly folder: string;
  /** Folder that the commands are run in. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What the page calls so, and what it is here: addresses, folders. */
  readonly instead?: readonly (readonly [said: string, here: string])[];
  /** Texts for `stdin=NAME`. */
  readonly stdin?: Readonly<Record<string, string>>;
}

/** A shell in which a reader types what the page says. */
export interface PageShell {
  /** Walks it from its beginning to its end. @throws Error with page, line and output where it is not as it says */
  walk(path: string): Promise<void>;
  /** Ends what still runs. */
  close(): Promise<void>;
}

/** Machines are busy, and some of what is waited for takes its time: calls from a registered address are tried again after 20 s. */
const patienceMs = 60_000;

export function openPageShell({ folder, cwd, env, instead = [], stdin = {} }: PageShellOptions): PageShell {
  const state = join(folder, "exported");
  const running: { readonly pid: number; readonly ended: Promise<unknown> }[] = [];
  const here = (text: string): string =>
    instead.reduce((changed, [from, to]) => changed.replaceAll(from, to), text);

  /** @param goesOn it is one that runs on: resolves when that is written */
  async function run(block: PageBlock, goesOn?: string): Promise<{ code: number | null; output: string }> {
    const script = `exec 2>&1\n[ ! -e '${state}' ] || . '${state}'\ntrap "export -p >'${state}'" EXIT\nset -eo pipefail\n${here(block.text)}`;
    const child = spawn("bash", ["--noprofile", "--norc", "-c", script], { cwd, env, detached: true });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    // It may end without having read what it was given.
    child.stdin.on("error", () => {});
    child.stdin.end(stdin[block.options.get("stdin") ?? ""] ?? "");
    const ended = once(child, "close");
    const pid = child.pid ?? 0;
    const stop = setTimeout(() => signal(pid, "SIGKILL"), patienceMs);
    if (goesOn === undefined) {
      await ended;
      clearTimeout(stop);
      return { code: child.exitCode, output };
    }
    running.push({ pid, ended });
    await until(() => (output.includes(goesOn) || child.exitCode !== null ? true : undefined), {
      withinMs: patienceMs,
      what: () => `"${goesOn}": ${output}`,
    });
    clearTimeout(stop);
    return { code: child.exitCode ?? 0, output };
  }

  async function end(name: NodeJS.Signals): Promise<void> {
    const last = running.pop();
    if (last === undefined) throw new Error("nothing runs on that Ctrl-C could end");
    signal(last.pid, name);
    await last.ended;
  }

  return {
    async walk(path) {
      const blocks = blocksOf(readFileSync(path, "utf8"));
      if (blocks.length === 0) throw new Error(`${path} has nothing that can be run`);
      let output = "";
      for (const [index, block] of blocks.entries()) {
        const fail = (what: string): never => {
          throw new Error(`${path}:${block.line}: ${what}\n${block.text}\n--- has written:\n${output}`);
        };
        if (block.kind === "shows") {
          if (!shows(output, here(block.text))) fail("it does not show this");
          continue;
        }
        if (block.options.has("ctrlc")) await end("SIGINT");
        const next = blocks[index + 1];
        const wanted = block.options.has("again") && next?.kind === "shows" ? here(next.text) : undefined;
        const code = Number(block.options.get("exit") ?? 0);
        const look = async (): Promise<true | undefined> => {
          const ended = await run(block, block.options.get("until"));
          ({ output } = ended);
          return wanted === undefined || (shows(output, wanted) && ended.code === code)
            ? endedWith(ended.code)
            : undefined;
        };
        const endedWith = (ended: number | null): true =>
          ended === code || fail(`it ended with ${ended}, not with ${code}`);
        await until(look, {
          withinMs: patienceMs,
          everyMs: 200,
          what: () => `${path}:${next?.line}: ${output}`,
        });
      }
    },
    async close() {
      while (running.length > 0) await end("SIGTERM");
    },
  };
}

/** To it and all that it has started. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch {
    // It has ended.
  }
}
