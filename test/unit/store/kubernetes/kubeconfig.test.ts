import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { readKubeconfig } from "../../../../src/store/kubernetes/kubeconfig.ts";

describe("kubeconfig", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "kubeconfig-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function file(name: string, text: string): Promise<string> {
    const path = join(folder, name);
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, text);
    return path;
  }

  function config(cluster: string, user: string): string {
    return `
apiVersion: v1
kind: Config
current-context: here
contexts:
- name: here
  context: {cluster: one, user: me}
clusters:
- name: one
  cluster: ${cluster}
users:
- name: me
  user: ${user}
`;
  }

  const cluster = "{server: 'https://api.example:6443'}";

  it("gives server and user of the current context, with relative paths from its own folder", async () => {
    const path = await file(
      "deep/config",
      config(
        "{server: 'https://api.example:6443/below', certificate-authority: pki/ca.crt, tls-server-name: kubernetes}",
        "{client-certificate: me.crt, client-key: /abs/me.key, tokenFile: token}",
      ),
    );
    const access = await readKubeconfig([path]);
    expect(access).toMatchObject({
      serverName: "kubernetes",
      ca: { kind: "file", path: join(folder, "deep/pki/ca.crt") },
      certificate: {
        cert: { kind: "file", path: join(folder, "deep/me.crt") },
        key: { kind: "file", path: "/abs/me.key" },
      },
      token: { kind: "file", path: join(folder, "deep/token") },
      plugin: undefined,
    });
    expect(access.server.href).toBe("https://api.example:6443/below");
  });

  it("merges several files as kubectl does: the first that names something has it, one that is absent is passed over", async () => {
    const first = await file("a/first", "current-context: here\nusers: [{name: me, user: {token: first}}]\n");
    const second = await file("second", config(cluster, "{token: second}"));
    expect((await readKubeconfig([join(folder, "absent"), first, second])).token).toEqual({
      kind: "given",
      text: "first",
    });
  });

  it("takes data before a file, and a token's file before the token", async () => {
    const data = Buffer.from("the CA").toString("base64");
    const path = await file(
      "config",
      config(
        `{server: 'https://h', certificate-authority: ca, certificate-authority-data: ${data}}`,
        "{token: x, tokenFile: /t}",
      ),
    );
    expect(await readKubeconfig([path])).toMatchObject({
      ca: { kind: "given", text: "the CA" },
      token: { kind: "file", path: "/t" },
    });
  });

  it("reads an exec plugin", async () => {
    const path = await file(
      "config",
      config(
        cluster,
        "{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./bin/login, args: [a], env: [{name: N, value: v}], interactiveMode: IfAvailable, provideClusterInfo: true}}",
      ),
    );
    expect((await readKubeconfig([path])).plugin).toMatchObject({
      command: join(folder, "bin/login"),
      args: ["a"],
      env: { N: "v" },
      cluster: { server: "https://api.example:6443/" },
    });
  });

  it.each([
    ["{server: 'https://h', insecure-skip-tls-verify: true}", "{token: MARKED}", "insecure-skip-tls-verify"],
    ["{server: 'https://h', proxy-url: 'http://MARKED'}", "{token: MARKED}", "proxy-url"],
    [cluster, "{auth-provider: {name: MARKED}}", "auth-provider"],
    [cluster, "{username: MARKED, password: MARKED}", "username"],
    [cluster, "{password: MARKED}", "password"],
    [cluster, "{token: MARKED, as: MARKED}", "as is not used"],
    ["{server: 'http://h'}", "{token: MARKED}", "not https://"],
    ["{server: 'https://u:MARKED@h'}", "{token: MARKED}", "holds a password"],
    ["{server: 'MARKED'}", "{token: MARKED}", "not a URL"],
    [cluster, "{}", "nothing is asked as nobody"],
    [cluster, "{client-certificate-data: MARKED}", "needs both"],
    [cluster, "{exec: {command: x, apiVersion: MARKED}}", "apiVersion"],
    [
      cluster,
      "{exec: {command: x, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Always}}",
      "interactiveMode",
    ],
  ])("refuses %s with %s by name, and quotes nothing", async (cluster, user, why) => {
    const path = await file("config", config(cluster, user));
    await expect(readKubeconfig([path])).rejects.toMatchObject({
      name: "CommandError",
      exitCode: 78,
      message: expect.stringContaining(why),
    });
    await expect(readKubeconfig([path])).rejects.not.toMatchObject({
      message: expect.stringContaining("MARKED"),
    });
  });

  it("lets insecure-skip-tls-verify: false pass", async () => {
    const path = await file(
      "config",
      config("{server: 'https://h', insecure-skip-tls-verify: false}", "{token: x}"),
    );
    expect((await readKubeconfig([path])).token).toEqual({ kind: "given", text: "x" });
  });

  it.each([
    ["a: [MARKED", "is not YAML"],
    ["just text", "is not a kubeconfig"],
    ["apiVersion: v1", "no current-context"],
    ["current-context: gone", "no context gone"],
    ["current-context: c\ncontexts: [{name: c, context: {cluster: x, user: y}}]", "no cluster x"],
  ])("says of %j what is missing: %s", async (text, why) => {
    const path = await file("config", text);
    const end: unknown = await readKubeconfig([path]).catch((error: unknown) => error);
    expect(end).toMatchObject({ exitCode: 78, message: expect.stringContaining(why) });
    expect(String(end)).not.toContain("MARKED");
  });

  it("says which files are not there", async () => {
    await expect(readKubeconfig([join(folder, "a"), join(folder, "b")])).rejects.toMatchObject({
      message: expect.stringContaining(`${folder}/a and ${folder}/b`),
    });
  });
});
