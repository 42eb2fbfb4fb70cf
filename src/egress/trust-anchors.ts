import type { SecureContext } from "node:tls";

import { createTrustContext } from "./tls.ts";
import type { Trust } from "./tls.ts";

/** The certificates that others are judged by, read once and shared by all who connect. */
export interface TrustAnchors {
  /** Another object after each reload. */
  context(): SecureContext;
  /** Reads the CA file again. @throws Failure `configuration` if it can't be used; what was trusted stays trusted */
  reload(): void;
}

/** @throws Failure `configuration` if the CA file can't be used */
export function createTrustAnchors(trust: Pick<Trust, "caFile" | "caOnly">): TrustAnchors {
  let context = createTrustContext(trust);
  return {
    context: () => context,
    reload() {
      context = createTrustContext(trust);
    },
  };
}
