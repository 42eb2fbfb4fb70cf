import type { Clock } from "../../clock.ts";
import { openTrustAnchors, watchTrust } from "../../connect/trust.ts";
import { backOffMs, within } from "../../lib/async.ts";
import type { Emit, Warning } from "../../lib/events.ts";
import type { Secret } from "../../secret.ts";
import { StoreError } from "../contract.ts";
import { createRemoteClient, type RemoteClient, RemoteError, type RemoteResponse } from "../remote.ts";
import type { VaultAccess, VaultLogin } from "./access.ts";
import { awayError, passingAnswer, refusedError, retryAfterMs, unansweredError } from "./answers.ts";
import {
  type Lease,
  type LoginDeps,
  logIn,
  readGivenToken,
  renewLease,
  type SendToVault,
  type VaultRequest,
} from "./login.ts";

export interface VaultSessionDeps {
  readonly clock: Clock;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
  readonly emit: Emit<Warning>;
}

/** One login at a Vault, shared by all of this process that keep something there. */
export interface VaultSession {
  /**
   * Sends a request, having logged in where that is due.
   * @param subject begins the message of an error: `The record … could not be read`
   * @param about the path that a right on it is asked for, where it is another than the request's
   * @returns answers of 2xx, 400 and 404, which mean something to whoever asks
   * @throws StoreError `unreachable`, `refused`; `not-yet`, `unreadable` of a file that holds what proves us
   */
  request(subject: string, request: VaultRequest, about?: string): Promise<RemoteResponse>;
  /** Milliseconds until it may be asked again; 0 unless it asked for a pause. */
  restMs(): number;
  /** Gives the login back: the last user's call revokes it, if that is soon done. */
  logOut(): Promise<void>;
  /** The last user's call cuts off all that is under way. */
  close(): void;
}

/** Milliseconds. A refusal may be of a role or a policy that is being made just now. */
const loginRetry = { firstMs: 1_500, mostMs: 15_000 };
/** A login that was refused what it asked for is done anew this often at most, milliseconds: mostly a policy is in the way. */
const repeatMs = 60_000;
/** So much of a lease may pass before it is renewed. */
const renewAt = 2 / 3;
/** Longest pause that `Retry-After` can ask for, milliseconds. */
const longestRestMs = 60_000;
/** Milliseconds that a clean end waits for the revocation. */
const logOutMs = 1_000;

/** The token in use, with what is known of its life. */
interface Held extends Lease {
  /** Monotonic times; Infinity for what has no end. */
  readonly loggedInAt: number;
  readonly renewAt: number;
  readonly endsAt: number;
  /** Seconds of the lease as it was at the login. */
  readonly fullLease: number;
  uses: number;
  /** Has an answer shown that it is accepted? */
  proven: boolean;
}

const sessions = new WeakMap<VaultAccess, { readonly session: Promise<VaultSession>; users: number }>();

/** The session of this access: opened by the first who asks, and ended by the last who ends it. Logs in when it is used. */
export async function openVaultSession(access: VaultAccess, deps: VaultSessionDeps): Promise<VaultSession> {
  let shared = sessions.get(access);
  if (shared === undefined) {
    shared = { session: createVaultSession(access, deps), users: 0 };
    sessions.set(access, shared);
  }
  const { session: opening } = shared;
  const mine = shared;
  mine.users += 1;
  const session = await opening;
  let logged = true;
  let open = true;
  const isLast = (): boolean => mine.users === 0;
  const leave = (): void => {
    if (!logged) return;
    logged = false;
    mine.users -= 1;
    if (isLast()) sessions.delete(access);
  };
  return {
    ...session,
    async logOut() {
      leave();
      if (isLast()) await session.logOut();
    },
    close() {
      if (!open) return;
      open = false;
      leave();
      if (isLast()) session.close();
    },
  };
}

/** @throws CommandError `configuration` where VAULT_CACERT can't be used */
async function createVaultSession(access: VaultAccess, deps: VaultSessionDeps): Promise<VaultSession> {
  const { address, caFile, namespace, login } = access;
  const { url } = address;
  const { clock, random, emit } = deps;
  const anchors = address.isPlain
    ? undefined
    : await openTrustAnchors({ caFile, caOnly: caFile !== undefined }, "VAULT_CACERT");
  const trust = anchors && watchTrust({ anchors, trust: { caFile }, clock, emit });
  const remote = createRemoteClient({
    url,
    server: address,
    tls: anchors && { context: anchors.context, serverName: address.host },
    clock,
  });
  const { send, restMs } = createExchange(remote, { url, namespace, clock, random });
  let held: Held | undefined;
  let entering: Promise<Held> | undefined;
  let refusals = 0;
  let refused: { readonly error: StoreError; readonly until: number } | undefined;
  let repeatAfter = -Infinity;
  let retryRenewalAt = -Infinity;
  let toldOf: string | undefined;

  const loginDeps: LoginDeps = { send, url };

  /** A token that may be used now: the one at hand, renewed, or that of a new login. Shared by all who ask meanwhile. */
  async function enter(subject: string): Promise<Held> {
    if (login.method === "token") await noticeNewToken();
    const now = clock.monotonic();
    const usable = held !== undefined && now < held.endsAt && !isUsedUp(held) ? held : undefined;
    if (usable !== undefined && now < Math.max(usable.renewAt, retryRenewalAt)) return usable;
    entering ??= (usable === undefined ? begin(subject) : prolong(subject, usable)).finally(() => {
      entering = undefined;
    });
    return entering;
  }

  /** A token that somebody else looks after is read afresh each time: a file is small. */
  async function noticeNewToken(): Promise<void> {
    if (login.method !== "token" || login.token.kind === "value" || held === undefined) return;
    // A file that is gone or half written leaves the token in use.
    const read = await readGivenToken(login.token).catch(() => undefined);
    if (read !== undefined && read.fingerprint() !== held.token.fingerprint()) held = undefined;
  }

  async function begin(subject: string): Promise<Held> {
    if (refused !== undefined && clock.monotonic() < refused.until) throw refused.error;
    try {
      // Its life begins where it is made: before the answer is here, however late that comes.
      const beganAt = clock.monotonic();
      const lease = await logIn(subject, access.login, loginDeps);
      refusals = 0;
      refused = undefined;
      held = hold(lease, beganAt);
      tell(held);
      return held;
    } catch (error) {
      if (error instanceof StoreError && error.code === "refused") {
        refusals += 1;
        refused = { error, until: clock.monotonic() + backOffMs(loginRetry, refusals, random()) };
      }
      throw error;
    }
  }

  /** While the one at hand lives, nothing that goes wrong here is anybody's concern. */
  async function prolong(subject: string, current: Held): Promise<Held> {
    retryRenewalAt = clock.monotonic() + 5_000 + random() * 5_000;
    try {
      const beganAt = clock.monotonic();
      const renewed = current.renewable ? await renewLease(subject, current, loginDeps) : undefined;
      // Near the longest life that it may have, Vault renews for less than was asked for.
      if (renewed !== undefined && (renewed >= current.fullLease * renewAt || login.method === "token")) {
        held = {
          ...hold({ ...current, leaseSeconds: renewed }, beganAt),
          fullLease: current.fullLease,
          proven: true,
        };
        tell(held);
        return held;
      }
      if (login.method === "token") return current;
      const next = await begin(subject);
      void revoke(current);
      return next;
    } catch {
      return current;
    }
  }

  function hold(lease: Lease, at: number): Held {
    const endless = lease.leaseSeconds === 0;
    // A batch token's life begins with the second in which it was made: it may be a second shorter than its lease.
    const ms = Math.max(lease.leaseSeconds - 1, lease.leaseSeconds / 2) * 1000;
    return {
      ...lease,
      loggedInAt: at,
      // Not all at the same time, and never later than two thirds.
      renewAt: endless ? Infinity : at + ms * renewAt * (0.9 + random() / 10),
      endsAt: endless ? Infinity : at + ms,
      fullLease: lease.leaseSeconds,
      uses: 0,
      proven: false,
    };
  }

  /** One use is kept back, for the revocation. A token that was given is used to its end. */
  function isUsedUp({ useLimit, uses }: Held): boolean {
    return useLimit > 0 && login.method !== "token" && uses >= useLimit - 1;
  }

  /** Once for each token. */
  function tell(current: Held): void {
    const id = current.token.fingerprint();
    const message = toldOf === id ? undefined : whatEnds(current, login.method, clock);
    if (message === undefined) return;
    toldOf = id;
    emit({ type: "warning", message });
  }

  /**
   * A refusal may be of the token, which may have been revoked, or of what it may do.
   * @returns true where another token is worth a try
   */
  async function replace(refusedToken: Held): Promise<boolean> {
    if (held !== refusedToken) return true;
    if (login.method === "token") {
      await noticeNewToken();
      return held !== refusedToken;
    }
    const now = clock.monotonic();
    const isFresh = !refusedToken.proven && now - refusedToken.loggedInAt < repeatMs;
    if (isFresh || now < repeatAfter) return false;
    repeatAfter = now + repeatMs;
    held = undefined;
    return true;
  }

  async function authorized(subject: string, request: VaultRequest): Promise<RemoteResponse> {
    const current = await enter(subject);
    current.uses += 1;
    const response = await send(subject, request, current.token);
    if (response.status !== 403) {
      current.proven = true;
      return response;
    }
    if (!(await replace(current))) return response;
    const next = await enter(subject);
    next.uses += 1;
    const again = await send(subject, request, next.token);
    if (again.status !== 403) next.proven = true;
    return again;
  }

  async function revoke({ token, isBatch }: Held): Promise<void> {
    // A batch token can't be revoked; one that was given is not ours to revoke.
    if (isBatch || login.method === "token") return;
    const request = { method: "POST", path: "auth/token/revoke-self" } as const;
    await send("The login could not be revoked", request, token).catch(() => {});
  }

  return {
    async request(subject, request, about = request.path) {
      const response = await authorized(subject, request);
      const { status } = response;
      if (status < 300 || status === 400 || status === 404) return response;
      if (status === 403) throw refusedError(subject, access, request.method, about);
      throw awayError(subject, url, `answered ${status}, which no Vault does; see whether VAULT_ADDR is one`);
    },
    restMs,
    async logOut() {
      const last = held;
      held = undefined;
      if (last !== undefined && clock.monotonic() < last.endsAt) await within(clock, logOutMs, revoke(last));
    },
    close() {
      trust?.close();
      remote.close();
    },
  };
}

interface ExchangeDeps extends Pick<VaultSessionDeps, "clock" | "random"> {
  readonly url: string;
  readonly namespace: string | undefined;
}

/** Single exchanges with a Vault, with what it has asked of whoever comes next. */
interface Exchange {
  /** Whatever is no answer to the question is thrown. */
  readonly send: SendToVault;
  /** Milliseconds until it may be asked again. */
  readonly restMs: () => number;
}

function createExchange(
  remote: Pick<RemoteClient, "request">,
  { url, namespace, clock, random }: ExchangeDeps,
): Exchange {
  let restUntil = -Infinity;
  /** How far the Vault has come by what this process has seen. */
  let index: string | undefined;

  function headersOf({ body }: VaultRequest, token: Secret | undefined): Record<string, string> {
    return {
      "x-vault-request": "true",
      ...(token === undefined ? {} : { "x-vault-token": token.reveal() }),
      ...(namespace === undefined ? {} : { "x-vault-namespace": namespace }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      // A standby that has not come as far has the active node answer.
      ...(index === undefined
        ? {}
        : { "x-vault-index": index, "x-vault-inconsistent": "forward-active-node" }),
    };
  }

  return {
    async send(subject, request, token) {
      const now = clock.monotonic();
      if (now < restUntil) {
        const seconds = Math.ceil((restUntil - now) / 1000);
        throw awayError(subject, url, `asked to be left alone for another ${seconds} s (429)`);
      }
      const headers = headersOf(request, token);
      const response = await remote
        .request({ ...request, path: `/v1/${request.path}`, headers })
        .catch((error: unknown) => {
          throw error instanceof RemoteError ? unansweredError(subject, url, error) : error;
        });
      const seen = response.headers["x-vault-index"];
      if (typeof seen === "string") index = seen;
      if (response.status === 429) {
        // What it asks for is the least: all others were told the same.
        const ms = Math.min(retryAfterMs(response) ?? 1_000, longestRestMs);
        restUntil = clock.monotonic() + ms + random() * Math.max(1_000, ms / 5);
        throw awayError(subject, url, "has more to do than it is allowed to (429, a quota)");
      }
      const why = passingAnswer(response);
      if (why !== undefined) throw awayError(subject, url, why);
      return response;
    },
    restMs: () => Math.max(0, restUntil - clock.monotonic()),
  };
}

/** What of this login will end, and can't be helped from here: a sentence; undefined where nothing will. */
function whatEnds(
  { useLimit, renewable, leaseSeconds, renewAt: dueAt }: Held,
  method: VaultLogin["method"],
  clock: Pick<Clock, "now" | "monotonic">,
): string | undefined {
  if (useLimit > 0) {
    const mend =
      method === "token"
        ? "then it is refused. Make one without a limit: bao token create -use-limit=0"
        : "then this process logs in anew. Set token_num_uses=0 on its role.";
    return `The Vault token may be used ${useLimit} times only; each look at the store is one, every 5 s: ${mend}`;
  }
  const isRenewed = renewable && dueAt - clock.monotonic() >= 0;
  if (method !== "token" || leaseSeconds <= 0 || isRenewed) return undefined;
  const at = new Date(clock.now() + leaseSeconds * 1000).toISOString();
  return `The Vault token ends at ${at} and can't be renewed. Put another into the file of VAULT_TOKEN_FILE by then, give one with a period (bao token create -period=24h), or use PRESTO_VAULT_AUTH=approle or kubernetes.`;
}
