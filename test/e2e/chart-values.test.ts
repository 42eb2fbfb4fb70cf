import { describe, expect, it } from "vitest";

import { hasKubeTools, podOf, refusalOf, renderChart } from "../support/render-chart.ts";

describe.skipIf(!hasKubeTools)("the chart's values", () => {
  it.each([
    [{}, 60],
    [{ env: { PRESTO_DRAIN_MAX: "90s" } }, 125],
    [{ env: { PRESTO_DRAIN_MAX: "1ms" } }, 36],
    [{ env: { PRESTO_DRAIN_MAX: "2m" }, app: { shutdownSeconds: 0 } }, 125],
    [{ terminationGracePeriodSeconds: 26 }, 26],
    [{ terminationGracePeriodSeconds: 3601, env: { PRESTO_DRAIN_MAX: "1h" } }, 3601],
  ])("with %j gives the pod %d s to end", (values, seconds) => {
    expect(podOf(renderChart(values)).terminationGracePeriodSeconds).toBe(seconds);
  });

  it.each<[object, RegExp]>([
    [{ terminationGracePeriodSeconds: 25 }, /PRESTO_DRAIN_MAX/],
    [{ terminationGracePeriodSeconds: 60, env: { PRESTO_DRAIN_MAX: "59001ms" } }, /PRESTO_DRAIN_MAX/],
    [{ terminationGracePeriodSeconds: 0 }, /terminationGracePeriodSeconds/],
    [{ env: { PRESTO_DRAIN_MIN: "26s" } }, /PRESTO_DRAIN_MIN/],
    [{ env: { PRESTO_DRAIN_MAX: "25" } }, /PRESTO_DRAIN_MAX/],
    [{ env: { PRESTO_TIMEOUT: 20 } }, /PRESTO_TIMEOUT/],
    [{ env: { PRESTO_TIMEOT: "20s" } }, /PRESTO_TIMEOT/],
    [{ env: { PRESTO_TOKEN: "abc" } }, /PRESTO_TOKEN/],
    [{ env: { PRESTO_CONTROL_LISTEN: "127.0.0.1:7382" } }, /PRESTO_CONTROL_LISTEN/],
    [{ env: { PRESTO_UNSAFE_LISTEN_ANYWHERE: "yes" } }, /PRESTO_UNSAFE_LISTEN_ANYWHERE/],
    [{ env: { NODE_TLS_REJECT_UNAUTHORIZED: "0" } }, /NODE_TLS_REJECT_UNAUTHORIZED/],
    [{ url: "http://presto.example" }, /url/],
    [{ url: "https://presto.example/api" }, /url/],
    [{ url: "https://presto.example:8443" }, /url/],
    [{ url: "https://user:pass@presto.example" }, /url/],
    [{ url: "" }, /url/],
    [{ token: { secretName: "" } }, /secretName/],
    [{ token: { value: "abc" } }, /value/],
    [{ image: { tag: "latest" } }, /tag/],
    [{ image: { digest: "sha256:abc" } }, /digest/],
    [{ image: { repository: "" } }, /repository/],
    [{ admin: { ipFamily: "ipv6" } }, /ipFamily/],
    [{ admin: { port: 80 } }, /port/],
    [{ port: 7381 }, /7381/],
    [{ app: { port: 7380 } }, /7380/],
    [{ app: { runAsUser: 0 } }, /runAsUser/],
    [{ app: { env: { PRESTO_TOKEN: "abc" } } }, /PRESTO_TOKEN/],
    [{ podSecurityContext: {} }, /podSecurityContext/],
    [{ env: { PRESTO_AUDIT: "file:/record.jsonl" } }, /PRESTO_AUDIT/],
    [
      { audit: { volume: "emptyDir" }, env: { PRESTO_AUDIT: "stdout" } },
      /audit\.volume and env\.PRESTO_AUDIT/,
    ],
    [{ audit: { volume: "claim" } }, /claimName/],
    [{ audit: { volume: "emptyDir", claimName: "records" } }, /claimName/],
    [{ audit: { volume: "claim", claimName: "records", sizeLimit: "1Gi" } }, /sizeLimit/],
    [{ audit: { volume: "hostPath" } }, /volume/],
  ])("refuses %j and names it", (values, named) => {
    expect(refusalOf(values)).toMatch(named);
  });
});
