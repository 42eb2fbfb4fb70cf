import { it } from "vitest";

import { openKubePlace } from "./fleet/kube-place.ts";
import { expectShortRun, shortRunMs } from "./fleet/short-run.ts";

it(
  "three proxies and two rotators over a real API server: no call fails in peace, none is told a lie, and one live token is left",
  () => expectShortRun(openKubePlace),
  shortRunMs,
);
