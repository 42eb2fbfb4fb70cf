import { faultOfPath } from "../files/io.ts";
import type { Place } from "../store/open.ts";
import {
  parseVaultAddress,
  serviceAccountTokenPath,
  type VaultAccess,
  type VaultLogin,
} from "../store/vault/access.ts";
import { type ConfigProblem, required } from "./parse.ts";
import { problem, type ReadVariables, secretSource, type Values } from "./read.ts";

// What a place in a Vault needs beside its address. Names without PRESTO_ are Vault's own, and may be there for
// somebody else: they are looked at only where a place of ours is in a Vault.

/** Is any of these places in a Vault? */
function isNeeded({ PRESTO_STORE: store, PRESTO_CREDENTIALS: credentials }: Values): boolean {
  return [store, credentials].some((place: Place | undefined) => place?.server === "vault");
}

/** Where the Vault is, and who we are there. */
export function vaultRules({ values, given }: ReadVariables): ConfigProblem[] {
  if (!isNeeded(values)) return [];
  return [...addressRules(values), ...loginRules({ values, given })];
}

function addressRules({ VAULT_ADDR: address, VAULT_CACERT: caFile }: Values): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const parsed =
    address === undefined ? "is required for a vault: store, and not set" : parseVaultAddress(address);
  if (typeof parsed === "string") problems.push(problem("VAULT_ADDR", parsed));
  const fault = caFile === undefined ? undefined : faultOfPath(caFile);
  if (fault !== undefined) problems.push(problem("VAULT_CACERT", fault));
  return problems;
}

/** The method that is chosen, or follows from what is given. */
function methodOf({
  values,
  given,
}: Pick<ReadVariables, "values" | "given">): VaultLogin["method"] | undefined {
  if (values.PRESTO_VAULT_AUTH !== undefined) return values.PRESTO_VAULT_AUTH;
  return given.has("VAULT_TOKEN") || given.has("VAULT_TOKEN_FILE") ? "token" : undefined;
}

function loginRules(read: Pick<ReadVariables, "values" | "given">): ConfigProblem[] {
  const { given } = read;
  // One that was refused by itself is told already.
  if (given.has("PRESTO_VAULT_AUTH") && read.values.PRESTO_VAULT_AUTH === undefined) return [];
  const method = methodOf(read);
  switch (method) {
    case undefined:
      return [
        problem(
          "PRESTO_VAULT_AUTH",
          "is not set, and neither is VAULT_TOKEN or VAULT_TOKEN_FILE: nothing proves to Vault who we are",
        ),
      ];
    case "token":
      return given.has("VAULT_TOKEN") || given.has("VAULT_TOKEN_FILE")
        ? []
        : [
            problem(
              "VAULT_TOKEN_FILE",
              "PRESTO_VAULT_AUTH is token, and neither this nor VAULT_TOKEN is set",
            ),
          ];
    case "approle": {
      const problems: ConfigProblem[] = [];
      if (!given.has("PRESTO_VAULT_ROLE_ID"))
        problems.push(problem("PRESTO_VAULT_ROLE_ID", "PRESTO_VAULT_AUTH is approle, and this is not set"));
      if (!given.has("PRESTO_VAULT_SECRET_ID") && !given.has("PRESTO_VAULT_SECRET_ID_FILE"))
        problems.push(
          problem(
            "PRESTO_VAULT_SECRET_ID_FILE",
            "PRESTO_VAULT_AUTH is approle, and neither this nor PRESTO_VAULT_SECRET_ID is set",
          ),
        );
      return problems;
    }
    case "kubernetes":
      return given.has("PRESTO_VAULT_ROLE")
        ? []
        : [problem("PRESTO_VAULT_ROLE", "PRESTO_VAULT_AUTH is kubernetes, and this is not set")];
  }
}

/** One for each reading: who keeps two things in a Vault logs in once. */
const accesses = new WeakMap<Values, VaultAccess>();

/** What a place in a Vault is opened with. Only for values without a problem. */
export function vaultAccess(values: Values): VaultAccess {
  const known = accesses.get(values);
  if (known !== undefined) return known;
  const address = parseVaultAddress(required(values.VAULT_ADDR));
  if (typeof address === "string") throw new TypeError("an address that was checked is none");
  const access = {
    address,
    namespace: values.VAULT_NAMESPACE,
    caFile: values.VAULT_CACERT,
    login: vaultLogin(values),
  };
  accesses.set(values, access);
  return access;
}

function vaultLogin(values: Values): VaultLogin {
  const method = values.PRESTO_VAULT_AUTH ?? "token";
  const mount = values.PRESTO_VAULT_MOUNT ?? method;
  switch (method) {
    case "token":
      return { method, token: required(secretSource(values, "VAULT_TOKEN")) };
    case "approle":
      return {
        method,
        mount,
        roleId: required(values.PRESTO_VAULT_ROLE_ID),
        secretId: required(secretSource(values, "PRESTO_VAULT_SECRET_ID")),
      };
    case "kubernetes":
      return { method, mount, role: required(values.PRESTO_VAULT_ROLE), jwtPath: serviceAccountTokenPath };
  }
}
