import type { DeliberateFault } from "./deliberate-faults.ts";

/** Deliberate faults in how the parts are put together, and in the gate that is one of them. */
export const compositionFaults: readonly DeliberateFault[] = [
  {
    name: "gate-left-out",
    what: "Calls go past the gate, whichever address they leave from.",
    patches: [
      {
        file: "app/sidecar.ts",
        from: "    gate: check,\n",
        to: "    gate: { ...check, blockedReason: () => undefined },\n",
      },
    ],
  },
  {
    name: "gate-before-reconnect",
    what: "A call whose connection could not be made is sent again though it is blocked by then.",
    patches: [
      {
        file: "app/sidecar.ts",
        from: "const send = withEgressGate(createSend({ dispatcher: deps.dispatcher, clock }), {",
        to: "const send = withEgressGate(withReconnect(createSend({ dispatcher: deps.dispatcher, clock }), clock), {",
      },
      { file: "app/sidecar.ts", from: "withToken(withReconnect(send, clock), ", to: "withToken(send, " },
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
        from: `if (!parts.mayLeave()) return "unclear";`,
        to: `if (!parts.mayLeave()) return "alive";`,
      },
    ],
  },
];
