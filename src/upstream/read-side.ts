import type { TLSSocket } from "node:tls";

import { atEndOfTurn } from "../clock.ts";
import { systemCode } from "../errors.ts";
import { InterimAnswers, InterimError } from "./interim-answers.ts";

/** Whose exchange goes over the connection. */
export interface ReadSideOwner {
  /** An answer is due, or under way. */
  isAnswerDue(): boolean;
  /** A byte of an answer has come, be it only an interim one: Presto has seen the request. */
  onResponseStarted(): void;
  /** Nothing more can be written. */
  writeFailed(): void;
}

/** What has come before a failed write is read within so many turns of the event loop, and each that brings something begins anew. */
const mostStillTurns = 3;

/** In `HTTP/1.0`. */
const minorVersionAt = 7;
const zero = 0x30;

/**
 * What undici gets to read of a connection: what comes, without interim answers, and what came
 * before a write failed. It stands in for two methods of the socket, once for its life.
 */
export class ReadSide {
  readonly #socket: TLSSocket;
  readonly #owner: ReadSideOwner;
  readonly #interim = new InterimAnswers();
  /** A request goes out, and no byte of its final answer has come. */
  #awaitsAnswer = false;
  /** Is the answer that comes one of HTTP/1.0? undici tells the version of none. */
  isHttp10 = false;
  /** What has come after a write has failed. */
  #late: unknown[] | undefined;

  constructor(socket: TLSSocket, owner: ReadSideOwner) {
    this.#socket = socket;
    this.#owner = owner;
    const read: (size?: number) => unknown = socket.read.bind(socket);
    socket.read = (size) => {
      for (;;) {
        const chunk = this.#late === undefined ? read(size) : (this.#late.shift() ?? null);
        if (!this.#awaitsAnswer || !Buffer.isBuffer(chunk)) return chunk;
        const answer = this.#skipInterim(chunk);
        if (answer !== undefined) return answer;
      }
    };
    this.#readBeforeLoss();
  }

  /** The next byte that comes is of an answer. */
  awaitAnswer(): void {
    this.#awaitsAnswer = true;
    this.#interim.begin();
  }

  /** What is left for undici: undefined while that is nothing, null where the connection is ended for what came. */
  #skipInterim(chunk: Buffer): Buffer | null | undefined {
    this.#owner.onResponseStarted();
    try {
      const answer = this.#interim.skip(chunk);
      if (answer !== undefined) {
        this.#awaitsAnswer = false;
        this.isHttp10 = answer[minorVersionAt] === zero;
      }
      return answer;
    } catch (error) {
      if (!(error instanceof InterimError)) throw error;
      this.#socket.destroy(error);
      return null;
    }
  }

  /**
   * Where Presto answers early and closes hard, a write fails, and the answer lies in the kernel:
   * it is read before the connection is given up. A stream that has failed takes nothing more, so
   * what comes goes past it.
   */
  #readBeforeLoss(): void {
    const socket = this.#socket;
    const destroy = socket.destroy.bind(socket);
    let lost: Error | undefined;
    let stillTurns = 0;
    const look = (): void => {
      if (socket.destroyed) return;
      stillTurns = this.#late?.length === 0 ? stillTurns + 1 : 0;
      if (stillTurns === 0) socket.emit("readable");
      if (stillTurns > mostStillTurns) destroy(lost);
      else atEndOfTurn(look);
    };
    socket.destroy = (error) => {
      if (lost !== undefined || !this.#owner.isAnswerDue() || !isFailedWrite(error)) return destroy(error);
      lost = error;
      this.#owner.writeFailed();
      const late: unknown[] = [];
      this.#late = late;
      socket.push = (chunk: unknown) => late.push(chunk) > 0;
      atEndOfTurn(look);
      return socket;
    };
  }
}

function isFailedWrite(error: Error | undefined): error is Error {
  const code = systemCode(error);
  const isLoss = code === "ECONNRESET" || code === "EPIPE";
  return isLoss && error !== undefined && "syscall" in error && error.syscall === "write";
}
