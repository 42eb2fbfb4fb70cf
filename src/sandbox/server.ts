import { type Account, createAccount } from "./account.ts";
import { type Authority, type Certificate, createAuthority } from "./certificates.ts";
import { type Controlled, type ControlListener, createControlListener, type LiveOptions } from "./control.ts";
import { act } from "./endpoints.ts";
import { isConnectionFault, parseFault } from "./fault-kinds.ts";
import { createFaults } from "./faults.ts";
import { createIpFilter } from "./ip-filter.ts";
import { createJournal, type ReceivedRequest } from "./journal.ts";
import {
  createPrestoListener,
  isLoopbackHost,
  type PrestoListener,
  type PrestoListenerDeps,
} from "./listener.ts";
import { takeState } from "./state.ts";
import { createWallet } from "./wallet.ts";

/** How to make a sandbox; everything has a default. */
export interface SandboxOptions extends Partial<LiveOptions> {
  /** `localhost` (the default) or a loopback address. */
  readonly host?: string;
  /** Port of the API; 0, the default: a free one. */
  readonly port?: number;
  /** Port of the control endpoint on 127.0.0.1; 0, the default: a free one. */
  readonly controlPort?: number;
  readonly email?: string;
  readonly password?: string;
  /** The first token; default a random one. */
  readonly token?: string;
  /** Default: a new one, which costs a few milliseconds. */
  readonly authority?: Authority;
  /** What the API presents; default a good leaf of the authority. */
  readonly certificate?: Certificate;
  /** Wall clock, milliseconds since 1970; default the system's. */
  readonly now?: () => number;
  /** How old a token says that it is when it is made, in milliseconds: callers may not believe the death of a young one. Default 0. */
  readonly issuedAgoMs?: number;
  /** How long a transaction may wait for its confirm, in milliseconds. Default 15 minutes. */
  readonly voidAfterMs?: number;
  /** How long an idle connection is kept, in milliseconds. Default 5000. */
  readonly keepAliveMs?: number;
}

/** A Presto on loopback. */
export interface Sandbox extends Controlled {
  /** Makes the certificates and listens; asked again, it does nothing more. Rejects with a ListenError where a port can't be had. */
  start(): Promise<void>;
  /** Cuts every connection and stops; nothing is left behind. */
  close(): Promise<void>;
  /** `await using` closes it. */
  [Symbol.asyncDispose](): Promise<void>;
  /** `https://localhost:PORT`. This and the next four throw before `start` is done. */
  readonly url: string;
  readonly port: number;
  /** `http://127.0.0.1:PORT`. */
  readonly controlUrl: string;
  /** Certificate of the authority: what a client must trust. */
  readonly caPem: string;
  /** Base64 SHA-256 of the SubjectPublicKeyInfo of the presented certificate. */
  readonly spkiPin: string;
  readonly account: { readonly email: string; readonly password: string };
  /** The token made last; live, unless it was revoked or has expired. */
  readonly token: string;
  /** The newest 1000 requests that were read whole, with everything that was in them, secrets included. */
  received(): readonly ReceivedRequest[];
}

/** Creates a sandbox, not yet started. Throws a RangeError where an option is bad. */
export function createSandbox(options: SandboxOptions = {}): Sandbox {
  const { host = "localhost", port = 0, controlPort = 0, keepAliveMs = 5000, issuedAgoMs = 0 } = options;
  if (!isLoopbackHost(host))
    throw new RangeError(
      `${host} is not a loopback host: the sandbox guards nothing, so it listens on localhost, 127.x.x.x or ::1 only.`,
    );
  const now = options.now ?? (() => Date.now());
  const credentials = {
    email: options.email ?? "fi@sandbox.example",
    password: options.password ?? "Sandbox-Passw0rd!",
  };
  const account = createAccount({ ...credentials, token: options.token, now, issuedAgoMs });
  const { controlled, deps } = createInside(options, account, now);
  let starting: Promise<void> | undefined;
  let started: Started | undefined;

  const running = (): Started => {
    if (started === undefined) throw new Error("The sandbox has not been started.");
    return started;
  };
  const begin = async (): Promise<void> => {
    const authority = options.authority ?? (await createAuthority());
    const certificate = options.certificate ?? (await authority.issue());
    const presto = createPrestoListener({ host, port, authority, certificate, keepAliveMs }, deps);
    const control = createControlListener({ sandbox, port: controlPort, now });
    try {
      const ports = { port: await presto.open(), controlPort: await control.open() };
      started = { presto, control, authority, certificate, ...ports };
    } catch (error) {
      await Promise.all([presto.close(), control.close()]);
      throw error;
    }
  };

  const sandbox: Sandbox = {
    ...controlled,
    start() {
      starting ??= begin();
      return starting;
    },
    async close() {
      // One that is closed while it starts must not go on to listen.
      await starting?.catch(() => {});
      await Promise.all([started?.presto.close(), started?.control.close()]);
    },
    [Symbol.asyncDispose]: () => sandbox.close(),
    get url() {
      return `https://${host.includes(":") ? `[${host}]` : host}:${running().port}`;
    },
    get port() {
      return running().port;
    },
    get controlUrl() {
      return `http://127.0.0.1:${running().controlPort}`;
    },
    get caPem() {
      return running().authority.certPem;
    },
    get spkiPin() {
      return running().certificate.spkiPin;
    },
    account: credentials,
    get token() {
      return account.current().token;
    },
    received: () => deps.journal.requests(),
    setFault(fault) {
      const set = controlled.setFault(fault);
      if (isConnectionFault(fault)) started?.presto.closeIdle();
      return set;
    },
  };
  return sandbox;
}

interface Started {
  readonly presto: PrestoListener;
  readonly control: ControlListener;
  readonly authority: Authority;
  readonly certificate: Certificate;
  readonly port: number;
  readonly controlPort: number;
}

/** All that is kept, and what can be done to it; no wire leads to it yet. */
function createInside(
  options: SandboxOptions,
  account: Account,
  now: () => number,
): { readonly controlled: Controlled; readonly deps: PrestoListenerDeps } {
  const initial: LiveOptions = {
    allowedAddresses: options.allowedAddresses,
    unregistered: options.unregistered ?? "json",
    rate: options.rate,
    resetRevokesToken: options.resetRevokesToken ?? false,
  };
  let live = initial;
  const wallet = createWallet({ now, voidAfterMs: options.voidAfterMs ?? 15 * 60 * 1000 });
  const journal = createJournal();
  const faults = createFaults();
  const ipFilter = createIpFilter(initial, now);
  const configure = (changed: Partial<LiveOptions>): void => {
    const next = { ...live, ...changed };
    ipFilter.configure(next);
    live = next;
  };
  const endpointDeps = { account, wallet, now, resetRevokesToken: () => live.resetRevokesToken };

  return {
    deps: { ipFilter, faults, journal, act: (call) => act(call, endpointDeps), now },
    controlled: {
      state: () => takeState({ account, wallet, journal, faults, now }),
      reset() {
        account.reset();
        wallet.reset();
        journal.reset();
        faults.clear();
        configure(initial);
      },
      mintToken: (token) => account.issue(token),
      revokeToken: () => account.revoke(),
      setFault: (fault) => faults.set(parseFault(fault)),
      removeFault: (id) => faults.remove(id),
      clearFaults: () => faults.clear(),
      settings: () => live,
      configure,
    },
  };
}
