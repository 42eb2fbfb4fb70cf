import type { FileReason, OpenCalls } from "./entries.ts";
import type { Head } from "./line.ts";

/** What lines are written to. Everything rejects where the medium fails; after that it is asked for nothing but `begin`. */
export interface Medium {
  /** Is there something to write to? */
  isOpen(): boolean;
  /** Why it must be begun anew before the next line; undefined while it need not. */
  due(): FileReason | undefined;
  /** Begins a new file behind `last`, and answers with the head of the chain then. Durable when it resolves. */
  begin(reason: FileReason, last: Head, state: BeginState): Promise<Head>;
  append(text: string): Promise<void>;
  /** All that was appended is durable. */
  sync(): Promise<void>;
  /** The present file is given up: nothing is ever appended to it again. */
  drop(): void;
  /** Number of the present file. */
  file(): number;
  close(): Promise<void>;
}

export interface BeginState {
  readonly at: Date;
  readonly open: OpenCalls;
  /** Hashes of lines behind the last durable one, which may stand in the file before. */
  readonly givenUp: readonly string[];
}
