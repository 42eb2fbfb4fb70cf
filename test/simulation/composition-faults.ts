import type { DeliberateFault } from "./deliberate-faults.ts";

/** Deliberate faults in how the parts are put together, and in the gate that is one of them. */
export const compositionFaults: readonly DeliberateFault[] = [
  {
    name: "gate-left-out",
    what: "Calls go past the gate, whichever address they leave from.",
    patches: [
      {
        file: "app/sidecar.ts",
        from: "egress: { gate: check, refuse: notRegistered },",
        to: "egress: { gate: { ...check, blockedReason: () => undefined }, refuse: notRegistered },",
      },
    ],
  },
  {
    name: "gate-passed-once",
    what: "A call whose connection could not be made is tried again though it is blocked by then.",
    patches: [
      {
        file: "upstream/dispatch.ts",
        from: "if (egress !== undefined && reason !== undefined) {",
        to: "if (egress !== undefined && reason !== undefined && this.#tries === 0) {",
      },
    ],
  },
  {
    name: "gate-stays-closed",
    what: "Calls that were blocked once stay so, also when the address is registered again.",
    patches: [
      {
        file: "egress-ip/latch.ts",
        from: "else if (closed !== undefined) {",
        to: "else if (closed !== undefined && closed === undefined) {",
      },
    ],
  },
  {
    name: "renewal-past-the-gate",
    what: "While calls are blocked the stored token is taken for alive, unasked, and a renewal begins.",
    patches: [
      {
        file: "renewal/probing.ts",
        from: `if (!deps.mayLeave()) return "unclear";`,
        to: `if (!deps.mayLeave()) return "alive";`,
      },
    ],
  },
];
