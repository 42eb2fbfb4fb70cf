import { ADDRCONFIG, lookup as systemLookup } from "node:dns";
import { Resolver as DnsResolver } from "node:dns/promises";
import { isIPv4, isIPv6 } from "node:net";
import { hostname, networkInterfaces } from "node:os";

import type { Clock } from "../clock.ts";
import { systemCode } from "../errors.ts";
import { readBounded } from "../files/io.ts";
import { onAbort, within } from "../lib/async.ts";

/** The version of IP that is asked for; 0: every one that this machine has. */
export type Family = 0 | 4 | 6;

/**
 * Looks a name up once.
 * @returns at least one address, each once, the better ones first; a rejection with the
 * system's own error, its code ENOTFOUND where there is no such address and EAI_AGAIN where
 * nobody could say, or with what the signal was aborted for
 */
export type Lookup = (host: string, family: Family, signal: AbortSignal) => Promise<readonly string[]>;

/** Where this system looks names up (nsswitch.conf(5)): what we can read or ask ourselves, or all of it as only the system can. */
type Source = "files" | "dns" | "system";

/** Longest wait for the other family once one has answered (RFC 8305 section 3), milliseconds. */
const otherFamilyMs = 50;

/** c-ares doubles its wait from try to try, up to this, milliseconds: an answer after an outage is asked for soon. */
const longestTryMs = 3_000;

/**
 * The system's look-up, which can be called off. The system's own (getaddrinfo) can't: it holds
 * one of the two threads that the runtime has for it until it gives up by itself, 10 s and more
 * after the last resolver fell silent, with all others queued behind it; and a process that ends
 * joins that thread. So hosts(5) and resolv.conf(5) are read here, and DNS is asked by c-ares, as
 * Go does by its own resolver. From where nsswitch.conf(5) names anything else that could know
 * names (LDAP, NIS, mDNS for `.local`), and outside Linux, the system is asked.
 */
export function createLookup(clock: Clock): Lookup {
  return async (host, family, signal) => {
    const families = familiesToQuery(family);
    for (const source of await readSources(host)) {
      if (source === "system") return lookupBySystem(host, family, signal);
      // RFC 6761 section 6.3: it is nobody else's to answer.
      if (source === "dns" && isLocalhost(host)) return loopback(families);
      const found =
        source === "files" ? await readHosts(host, families) : await queryDns(host, families, clock, signal);
      if (found.length > 0) return found;
    }
    throw lookupError("ENOTFOUND", host);
  };
}

function isLocalhost(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost");
}

function loopback(families: readonly (4 | 6)[]): readonly string[] {
  return families.map((version) => (version === 4 ? "127.0.0.1" : "::1"));
}

/** As Node's own: `code` is what is told. */
function lookupError(code: "ENOTFOUND" | "EAI_AGAIN", host: string, cause?: unknown): Error {
  return Object.assign(new Error(`${code} ${host}`, { cause }), { code });
}

/** Link-local, or unique local (RFC 4193): from these nothing far away is reached, and RFC 6724 section 2.1 prefers IPv4. */
const localIPv6 = /^f(?:e[89ab]|[cd])/i;

/** IPv6 first where this machine has an address for it; a family that it does not have is not asked for (RFC 3493 section 6.1). */
function familiesToQuery(family: Family): readonly (4 | 6)[] {
  if (family !== 0) return [family];
  const own = Object.values(networkInterfaces())
    .flatMap((addresses = []) => addresses)
    .filter(({ internal }) => !internal);
  const has4 = own.some(({ address }) => isIPv4(address));
  const has6 = own.some(({ address }) => isIPv6(address));
  if (has4 !== has6) return has4 ? [4] : [6];
  return own.some(({ address }) => isIPv6(address) && !localIPv6.test(address)) ? [6, 4] : [4, 6];
}

async function readText(path: string): Promise<string> {
  try {
    const read = await readBounded(path, { maxBytes: 8 * 1024 * 1024, followLink: true, ofSystem: true });
    return read.kind === "content" ? read.bytes.toString("latin1") : "";
  } catch {
    // As the system's own look-up does: a file that can't be read says nothing.
    return "";
  }
}

/** The lines of a file as lists of words, without comments. */
function wordsOf(text: string, comment: RegExp): readonly (readonly string[])[] {
  return text.split("\n").map((line) =>
    line
      .replace(comment, "")
      .split(/[ \t\r]+/)
      .filter((word) => word !== ""),
  );
}

/** In the order in which they are asked. Where the system comes, it comes last, and asks again whom we have asked. */
async function readSources(host: string): Promise<readonly Source[]> {
  if (process.platform !== "linux") return ["system"];
  const lines = wordsOf(await readText("/etc/nsswitch.conf"), /#.*/);
  const line = lines.find(([database]) => database === "hosts:") ?? ["hosts:", "files", "dns"];
  // `[!UNAVAIL=return]` and the like: what a source that is left out would have been followed by.
  const words = line
    .slice(1)
    .join(" ")
    .replaceAll(/\[[^\]]*\]/g, " ");
  const sources = new Set<Source>();
  let ownMachine = false;
  for (const word of words.toLowerCase().split(" ")) {
    switch (word) {
      case "files":
      case "dns":
        sources.add(word);
        break;
      // systemd-resolved answers at the servers of resolv.conf(5) as well.
      case "resolve":
        sources.add("dns");
        break;
      // They know this machine, and what runs in it.
      case "myhostname":
      case "mymachines":
        ownMachine = true;
        break;
      case "":
        break;
      default:
        if (!word.startsWith("mdns") || host.endsWith(".local")) return [...sources, "system"];
    }
  }
  return ownMachine ? [...sources, "system"] : [...sources];
}

/** Looks into hosts(5): the first word of a line is an address, all others are its names. */
async function readHosts(host: string, families: readonly (4 | 6)[]): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const [address = "", ...names] of wordsOf(await readText("/etc/hosts"), /#.*/)) {
    if (names.some((name) => name.toLowerCase() === host)) found.add(address);
  }
  return families.flatMap((family) => [...found].filter(family === 4 ? isIPv4 : isIPv6));
}

/** The names to ask for, in their order (resolv.conf(5), `search` and `ndots`). */
async function readQuestions(host: string): Promise<readonly string[]> {
  let search = hostname().includes(".") ? [hostname().slice(hostname().indexOf(".") + 1)] : [];
  let ndots = 1;
  for (const [keyword, ...words] of wordsOf(await readText("/etc/resolv.conf"), /^\s*[#;].*/)) {
    if (keyword === "search") search = words;
    if (keyword === "domain") search = words.slice(0, 1);
    if (keyword !== "options") continue;
    for (const word of words) {
      const given = /^ndots:(\d+)$/.exec(word)?.[1];
      if (given !== undefined) ndots = Math.min(Number(given), 15);
    }
  }
  const longer = search.map((domain) => `${host}.${domain.replace(/\.$/, "")}`);
  return host.split(".").length > ndots ? [host, ...longer] : [...longer, host];
}

/** Nobody could say, but the next name may be one that somebody knows: another server answers for it. */
const unclearCodes = new Set(["ESERVFAIL", "EREFUSED", "ENOTIMP", "EFORMERR", "EBADRESP"]);
/** The last: with a search domain, it would be longer than names may be. */
const absentCodes = new Set(["ENOTFOUND", "ENODATA", "EBADNAME"]);

/** @returns no address where DNS says that there is none */
async function queryDns(
  host: string,
  families: readonly (4 | 6)[],
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const questions = await readQuestions(host);
  signal.throwIfAborted();
  // A new one each time: it reads resolv.conf(5) for its servers.
  const resolver = new DnsResolver({ maxTimeout: longestTryMs });
  const stopListening = onAbort(signal, () => resolver.cancel());
  let unclear: unknown;
  try {
    for (const question of questions) {
      const { addresses, errors } = await queryFamilies(resolver, question, families, clock);
      if (addresses.length > 0) return addresses;
      signal.throwIfAborted();
      const failed = errors.filter((error) => !absentCodes.has(systemCode(error) ?? ""));
      unclear ??= failed[0];
      if (failed.some((error) => !unclearCodes.has(systemCode(error) ?? ""))) break;
    }
  } finally {
    stopListening();
    resolver.cancel();
  }
  if (unclear !== undefined) throw lookupError("EAI_AGAIN", host, unclear);
  return [];
}

/** Asks for all families at once. The first that answers does not wait long for the other. */
async function queryFamilies(
  resolver: DnsResolver,
  name: string,
  families: readonly (4 | 6)[],
  clock: Clock,
): Promise<{ readonly addresses: readonly string[]; readonly errors: readonly unknown[] }> {
  const found = new Map<4 | 6, readonly string[]>();
  const errors: unknown[] = [];
  const asked = families.map(async (family) => {
    try {
      found.set(family, await (family === 4 ? resolver.resolve4(name) : resolver.resolve6(name)));
    } catch (error) {
      errors.push(error);
    }
  });
  const all = Promise.all(asked);
  await Promise.race(asked);
  if (found.size === 0) await all;
  else await within(clock, otherFamilyMs, all);
  return { addresses: families.flatMap((family) => found.get(family) ?? []), errors };
}

/** The system's own look-up. Given up, it goes on until it ends by itself. */
function lookupBySystem(host: string, family: Family, signal: AbortSignal): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const stopListening = onAbort(signal, reject);
    systemLookup(host, { all: true, family, hints: family === 0 ? ADDRCONFIG : 0 }, (error, found) => {
      stopListening();
      if (error === null) resolve([...new Set(found.map(({ address }) => address))]);
      else reject(error);
    });
  });
}
