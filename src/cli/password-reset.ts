import { type CredentialConfig, loadCredentialConfig } from "../config/load.ts";
import { Failure } from "../errors.ts";
import { untilStopped } from "../lib/async.ts";
import { createIssuer } from "../presto/auth.ts";
import { callTimeoutMs, noCredentials, settleReset } from "../presto/password-reset.ts";
import type { ProbeVerdict } from "../presto/probe.ts";
import type { TokenStore } from "../store/contract.ts";
import { openCredentials, openRenewalLock, openStore } from "../store/open.ts";
import type { Io, Run } from "./command.ts";
import { newPassword } from "./new-password.ts";
import { printNote } from "./output.ts";
import { probeToken } from "./probe-token.ts";
import { refuseKeyless } from "./refuse-keyless.ts";
import { resetFailure, tellChanged } from "./reset-result.ts";
import { refuseWhileRenewed } from "./store-import.ts";
import { withUpstream } from "./upstream-pool.ts";
import { withRenewalLock } from "./with-renewal-lock.ts";

/** Changes the account's password at Presto and in PRESTO_CREDENTIALS, or settles an earlier change. */
export const passwordReset: Run = async (args, io) => {
  const config = completeConfig(loadCredentialConfig(io.env, io.execArgv));
  for (const warning of config.warnings) printNote(io, `Warning: ${warning}`);
  const { clock, signal } = io;
  const lock = openRenewalLock(config.store, { clock });
  const store = await openStore(config.store, { clock });
  const credentials = await openCredentials(config.credentials, { clock });
  try {
    // Whoever would be refused is told before typing anything; nobody holds a lock while a person types.
    const stored = await credentials.read().catch(refuseKeyless(credentials.kind));
    if (stored === undefined) throw noCredentials();
    refuseWhileRenewed(await store.read());
    const asked = newPassword(io, stored.credentials, args.flag("generate"));
    const { wanted, unused } = await untilStopped(signal, asked);
    const outcome = await withRenewalLock(lock, io, async (held) => {
      refuseWhileRenewed(await store.read());
      const mayBegin = (): boolean => !signal.aborted && clock.monotonic() + callTimeoutMs < held.heldUntil();
      return withUpstream(config.upstream, io, (openPool) => {
        const issuer = createIssuer({ openPool, clock });
        return settleReset({ store: credentials, issuer, clock, mayBegin, signal }, wanted);
      });
    });
    if (outcome.kind === "changed") {
      const token = await probeStored(config, store, io);
      tellChanged(io, { stored: outcome.stored, earlier: wanted === undefined, token }, args.flag("json"));
    }
    const failure = resetFailure(outcome) ?? (unused ? notUsed() : undefined);
    if (failure !== undefined) throw failure;
    return 0;
  } finally {
    credentials.close();
    store.close();
  }
};

type CompleteConfig = CredentialConfig & {
  readonly [K in "store" | "upstream"]: NonNullable<CredentialConfig[K]>;
};

function completeConfig(config: CredentialConfig): CompleteConfig {
  const { store, upstream } = config;
  if (upstream === undefined) {
    throw new Failure(
      "configuration",
      "PRESTO_URL is not set, so there is nobody to ask. Set it as the sidecar has it.",
    );
  }
  // Without the token's store there is neither its lock nor its intent: a renewal could be under way.
  if (store === undefined) {
    throw new Failure(
      "configuration",
      "PRESTO_STORE is env:, and a password is changed under the lock of the token's store. Set it as the sidecar that renews has it, such as PRESTO_STORE=file:/var/lib/presto/token.",
    );
  }
  return { ...config, store, upstream };
}

/** Whether a reset kills the token is not documented. What can't be learnt is left out: the reset is done. */
async function probeStored(
  config: CredentialConfig,
  store: TokenStore,
  io: Io,
): Promise<ProbeVerdict | undefined> {
  try {
    const token = (await store.read())?.record.token ?? null;
    return token === null ? undefined : await untilStopped(io.signal, probeToken(config, token, io));
  } catch {
    return undefined;
  }
}

function notUsed(): Failure {
  return new Failure(
    "try-again",
    "The password that was given now was not used, because the one of an earlier reset had to be settled first. Run the command again to set it.",
  );
}
