import type { Clock } from "../clock.ts";
import type { Signals } from "../observe/signals.ts";

export interface CertificateWatchOptions {
  /** Whose certificate it is. */
  readonly host: string;
  readonly clock: Clock;
  readonly signals: Pick<Signals, "peerCertificate" | "warned">;
}

const dayMs = 24 * 60 * 60_000;
const warnFromDays = 21;

/**
 * Tells when the certificate ends, at each full handshake, and warns once a day while that is near.
 * @returns what takes the end of a certificate that was just accepted
 */
export function createCertificateWatch(options: CertificateWatchOptions): (validTo: Date) => void {
  const { host, clock, signals } = options;
  let warnedAt: number | undefined;
  return (validTo) => {
    signals.peerCertificate(validTo);
    const daysLeft = (validTo.getTime() - clock.now()) / dayMs;
    // Also false for a date that could not be read.
    if (!(daysLeft <= warnFromDays)) return;
    const now = clock.monotonic();
    if (warnedAt !== undefined && now - warnedAt < dayMs) return;
    warnedAt = now;
    signals.warned(
      `The certificate of ${host} ends in ${Math.max(0, Math.floor(daysLeft))} days, at ${validTo.toISOString()}. Ask for its renewal: from then on nothing is sent.`,
    );
  };
}
