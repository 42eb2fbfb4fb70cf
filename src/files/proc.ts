import { readdirSync, readFileSync, statSync } from "node:fs";

import { readBounded } from "./io.ts";

// What Linux says of this process (proc(5)). Undefined elsewhere, and where it may not be read.

/** Descriptors that this process may have open. Node raises the soft limit to the hard one when it starts. */
export async function readDescriptorLimit(): Promise<number | undefined> {
  try {
    const read = await readBounded("/proc/self/limits", {
      maxBytes: 16 * 1024,
      followLink: false,
      ofSystem: true,
    });
    const text = read.kind === "content" ? read.bytes.toString("latin1") : "";
    const [, soft] = /^Max open files +(\d+) /m.exec(text) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/**
 * Descriptors that are open. Not in a thread of the runtime's pool, as files are: all of them may wait
 * for a mount that hangs, and this is asked for just then; the kernel answers it from memory.
 */
export function countDescriptors(): number | undefined {
  try {
    // Since Linux 6.2 the size is their number; before that it is 0.
    const { size } = statSync("/proc/self/fd");
    return size > 0 ? size : readdirSync("/proc/self/fd").length;
  } catch {
    return undefined;
  }
}

/** Bytes of address space. */
export function readVirtualMemory(): number | undefined {
  try {
    const [, kib] = /^VmSize:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "latin1")) ?? [];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}
