import type { Log } from "./log.ts";
import type { EgressSignals } from "./signals.ts";

/** Writes what is told of the address that this process leaves from. That calls are kept back, and that they leave again, are audit lines. */
export function logEgress(log: Log): EgressSignals {
  return {
    egressChecked({ name, address, error, changed }) {
      if (error === undefined) log.write("debug", "A check URL answered.", { check_url: name, address });
      else {
        log.write(
          changed ? "warn" : "debug",
          "A check URL did not tell an address; that closes nothing.",
          {
            check_url: name,
          },
          error,
        );
      }
    },
    egressAddressSeen({ addresses, registered }) {
      const fields = { addresses: addresses.join(", "), registered };
      if (registered === false) {
        log.write("warn", "Calls leave from an address that is not in PRESTO_EGRESS_IPS.", fields);
      } else log.write("info", "The address that calls leave from is known.", fields);
    },
    egressVerdictChanged({ verdict, evidence }) {
      log.write(
        verdict === "registered" || verdict === "unknown" ? "info" : "warn",
        "What the last exchanges with Presto show has changed.",
        { verdict, evidence: evidence.join(" ") },
      );
    },
    egressLatchChanged(reason) {
      if (reason === undefined) {
        log.write("info", "Calls leave again.", { audit: true });
        return;
      }
      log.write("error", "Calls are kept back, so that none leaves from an address that is not registered.", {
        reason,
        audit: true,
      });
    },
  };
}
