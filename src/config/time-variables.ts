import * as valid from "./validators.ts";
import { variable } from "./variable.ts";

/** How long things may take. */
export const timeVariables = {
  PRESTO_TIMEOUT: variable(valid.duration, {
    fallback: "20s",
    example: "10s",
    meaning:
      "The whole exchange as the caller sees it: from the request's head to the reply's last byte, with every wait in between.",
  }),
  PRESTO_CONNECT_TIMEOUT: variable(valid.duration, {
    fallback: "5s",
    example: "3s",
    meaning: "Connecting to Presto: TCP and TLS together.",
  }),
  PRESTO_HOLD_MAX: variable(valid.durationOrZero, {
    fallbackNote: "`5s`, or half of `PRESTO_TIMEOUT` if that is less",
    example: "5s",
    meaning:
      "Longest that a new call is held because a renewal is under way; then it is sent with the token in hand.",
  }),
  PRESTO_PROBE_EVERY: variable(valid.duration, {
    fallback: "60s",
    example: "30s",
    meaning: "How often a role that issues makes sure that the stored token lives.",
  }),
  PRESTO_PROBE_REFERENCE: variable(valid.reference, {
    fallback: "TRX000000000",
    example: "TRX000000000",
    meaning:
      "Made-up transaction reference that is asked for to see whether a token lives: 1 to 128 of `A-Za-z0-9-._~`. No transaction of yours may have it.",
  }),
  PRESTO_SETTLE: variable(valid.durationOrZero, {
    fallback: "90s",
    example: "2m",
    meaning:
      "Longest time that Presto, or a gateway before it, may still execute a call whose client is gone: so long nothing is issued after a call whose end is not known.",
  }),
  PRESTO_DRAIN_MIN: variable(valid.durationOrZero, {
    fallback: "0s",
    example: "5s",
    meaning: "After SIGTERM: keep accepting calls for so long.",
  }),
  PRESTO_DRAIN_MAX: variable(valid.durationOrZero, {
    fallback: "25s",
    example: "25s",
    meaning:
      "After SIGTERM: finish what is in flight, a renewal too, within this, `PRESTO_DRAIN_MIN` included; then cut it off.",
  }),
};
