import type { Clock } from "../clock.ts";
import type { TokenRecord } from "../store/contract.ts";
import type { OtherHolder, RenewalEnd, RenewalState, RenewReply, RenewRequest } from "./types.ts";

/** What the next run is to do for people. It is asked at each step, since what they wait for may be known better by then, or be over. */
export interface PendingRequest {
  /** Clears the alarm first, and believes a death at once. */
  readonly force: boolean;
  /** Does somebody want another token than this one (undefined: there is none)? */
  replaces(tokenId: string | undefined): boolean;
}

/** What is known of tokens when a request comes. */
export interface TokensInHand {
  /** Ids of tokens that this process has, stored or not. */
  readonly ids: readonly string[];
  /** Id of the token that stands in the store, read afresh; undefined where none does. Rejects where it can't be read. */
  readonly stored: Promise<string | undefined>;
  /** Was this token issued by this process? */
  readonly isOwn: (tokenId: string) => boolean;
}

/**
 * People who want a new token. Each is content with one that was in nobody's hand when it asked:
 * whoever knows that a token has leaked must not be told of that very token. Those who ask while
 * no answer to an issue call has come share it, and each waits for as long as it likes.
 */
export interface RenewRequests {
  /** Undefined if nobody wants anything. */
  pending(): PendingRequest | undefined;
  /** Is there one that no run has tried yet? It overrides back-off, once. */
  isUntried(): boolean;
  add(request: RenewRequest, inHand: TokensInHand): Promise<RenewReply>;
  /** A run begins, for all that stand now. */
  begun(): void;
  /** Another process holds the lock. Is it in another Pod, then whoever waits is sent there, and nothing stays due for it; what was told to be due stays due. */
  lockHeld(other: OtherHolder): void;
  /** A run ended; `record` is what stands in the store now. */
  ended(end: RenewalEnd, record: TokenRecord | undefined): void;
}

/** One request. Whoever was told that it is under way has gone; the request stays due. */
interface Standing {
  readonly force: boolean;
  /** Ids of the tokens that do not fulfil it. */
  readonly known: Set<string>;
  /** What stood in the store when it came; `unknown`: it could not be read, so whatever is found there may have stood there. */
  stored: "being-read" | "known" | "unknown";
  /** Does the run that is under way know of it? */
  isInRun: boolean;
  isTried: boolean;
  /** Undefined where nobody waits for it any more. */
  reply: ((reply: RenewReply) => void) | undefined;
}

const retryAfterMs = 5_000;

export function createRenewRequests(options: {
  readonly clock: Clock;
  readonly state: () => RenewalState;
}): RenewRequests {
  let all: readonly Standing[] = [];

  /** It is answered, and over. */
  function answer(request: Standing, reply: RenewReply): void {
    all = all.filter((other) => other !== request);
    request.reply?.(reply);
  }

  /** It could not be carried out: whoever waits is told so, and comes again. What was told to be due stays due. */
  function failed(request: Standing, reply: RenewReply): void {
    if (request.isInRun && request.reply !== undefined) answer(request, reply);
  }

  /** Of those that nobody waits for, one is enough: however many come in an outage, no more are kept. */
  function join(): void {
    const [first, ...others] = all.filter(
      ({ reply, stored }) => reply === undefined && stored !== "being-read",
    );
    if (first === undefined || others.length === 0) return;
    const joined = [first, ...others];
    all = [
      ...all.filter((request) => !joined.includes(request)),
      {
        force: joined.some(({ force }) => force),
        known: new Set(joined.flatMap(({ known }) => [...known])),
        stored: joined.some(({ stored }) => stored === "unknown") ? "unknown" : "known",
        isInRun: joined.every(({ isInRun }) => isInRun),
        isTried: joined.every(({ isTried }) => isTried),
        reply: undefined,
      },
    ];
  }

  function judge(request: Standing, end: RenewalEnd, record: TokenRecord | undefined): void {
    switch (end.kind) {
      case "renewed": {
        const { tokenId, generation, expiresAt } = end;
        if (!request.known.has(tokenId)) answer(request, { kind: "renewed", generation, expiresAt });
        break;
      }
      case "nothing-to-do": {
        const id = record?.token?.fingerprint();
        if (record !== undefined && id !== undefined && !isReplacedBy(request, id)) {
          const { generation, expiresAt } = record;
          answer(request, { kind: "renewed", generation, expiresAt });
        } else failed(request, { kind: "unreachable", detail: end.detail, retryAfterMs });
        break;
      }
      case "stopped":
        // One that forces it clears the alarm for all.
        if (!all.some(({ force }) => force)) answer(request, { kind: "stopped", detail: end.detail });
        break;
      case "elsewhere":
        if (!request.force) answer(request, { kind: "elsewhere", detail: end.detail });
        break;
      case "refused":
        answer(request, { kind: "refused", detail: end.detail });
        break;
      case "young-token":
        failed(request, { kind: "young-token", detail: end.detail, retryAfterMs: end.nextLookMs });
        break;
      case "unreachable":
        failed(request, { kind: "unreachable", detail: end.detail, retryAfterMs });
        break;
      case "lost":
        break;
      case "shut-down":
        answer(request, { kind: "under-way", state: options.state() });
        break;
    }
  }

  return {
    pending() {
      if (all.length === 0) return undefined;
      return {
        get force() {
          return all.some(({ force }) => force);
        },
        replaces: (tokenId) => all.some((request) => isReplacedBy(request, tokenId)),
      };
    },
    isUntried: () => all.some(({ isTried }) => !isTried),
    add({ force, waitMs }, { ids, stored, isOwn }) {
      const request: Standing = {
        force,
        known: new Set(ids),
        stored: "being-read",
        isInRun: false,
        isTried: false,
        reply: undefined,
      };
      stored.then(
        (id) => {
          // One that was issued here, and not in hand when it came, was issued since.
          if (id !== undefined && !isOwn(id)) request.known.add(id);
          request.stored = "known";
          join();
        },
        () => {
          request.stored = "unknown";
          join();
        },
      );
      all = [...all, request];
      return new Promise((resolve) => {
        const timer = options.clock.after(waitMs, () => {
          // Only this wait for it is over.
          request.reply = undefined;
          join();
          resolve({ kind: "under-way", state: options.state() });
        });
        request.reply = (reply) => {
          timer.cancel();
          resolve(reply);
        };
      });
    },
    begun() {
      for (const request of all) request.isInRun = true;
    },
    lockHeld(other) {
      const reply = lockHeldReply(other);
      if (reply === undefined) return;
      for (const request of all) if (request.reply !== undefined) answer(request, reply);
    },
    ended(end, record) {
      for (const request of all) judge(request, end, record);
      for (const request of all) {
        request.isTried ||= request.isInRun;
        request.isInRun = false;
      }
    },
  };
}

/** Where a process in another Pod is the one to ask; undefined where the lock is waited for. */
export function lockHeldReply({ words, pod }: OtherHolder): RenewReply | undefined {
  if (pod === undefined) return undefined;
  const detail = `${words} holds the renewal lock, so that this process can issue nothing now, and has not taken the request up. Ask that one, or here again.`;
  return { kind: "lock-held", detail, pod, retryAfterMs };
}

/** Does it want another token than this one? */
function isReplacedBy({ known, stored }: Standing, tokenId: string | undefined): boolean {
  return tokenId === undefined || known.has(tokenId) || stored !== "known";
}
