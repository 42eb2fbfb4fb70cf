import { it } from "vitest";

import { expectShortRun, shortRunMs } from "./fleet/short-run.ts";
import { openVaultPlace } from "./fleet/vault-place.ts";

it(
  "three proxies and two rotators over three real OpenBaos: no call fails in peace, none is told a lie, and one live token is left",
  () => expectShortRun(openVaultPlace),
  shortRunMs,
);
