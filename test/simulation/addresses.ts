import { AddressAnswerError } from "../../src/egress-ip/check-url.ts";
import type { AskedUrl } from "../../src/egress-ip/check.ts";
import { type Address, type Network, parseAddress, parseNetwork } from "../../src/lib/ip.ts";
import type { Random } from "./random.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Story } from "./story.ts";
import type { Timeline } from "./timeline.ts";

/**
 * From which address each process leaves. Presto lets in those alone that are registered; whoever
 * comes from another meets a page of the firewall's, and nothing is executed for them.
 */
export interface SimAddresses {
  isRegistered(process: SimProcess): boolean;
  /** For so long the machine of that process leaves from an address that nobody has registered. */
  move(process: SimProcess, ms: number): void;
  /** Who tells that process which address it leaves from. */
  checkUrls(process: SimProcess): readonly AskedUrl[];
  /** Presto's application has answered something that the process began then, by its monotonic clock. */
  letIn(process: SimProcess, begunAt: number): void;
  /**
   * Does the process know that it must send nothing? All check URLs have told it in one round, and
   * nothing that it began since that came to light was let in.
   */
  mustBlock(process: SimProcess): boolean;
  /** Did anybody ever leave from such an address? */
  everMoved(): boolean;
}

export interface SimAddressesOptions {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly story: Story;
}

const registered = addressOf("203.0.113.10");
const elsewhere = addressOf("198.51.100.7");
/** What is registered with Presto. */
export const registeredNetworks: readonly Network[] = [networkOf("203.0.113.0/28")];
const names = ["check-1.example", "check-2.example"] as const;

/** What a process was told of its address. */
interface Heard {
  /** Of each check URL, when it was asked last, and whether it saw an address that is registered; undefined without an answer. */
  readonly last: { readonly askedAt: number; readonly isRegistered: boolean | undefined }[];
  /** When it was asked what first told of the address that is not registered now; Infinity while none does. */
  strangeSince: number;
  letInAt: number;
}

export function createSimAddresses({ timeline, random, story }: SimAddressesOptions): SimAddresses {
  /** By the role, since a process that comes back leaves from the same machine. */
  const movedUntil = new Map<string, number>();
  const heard = new Map<SimProcess, Heard>();

  const isRegistered = ({ role }: SimProcess): boolean => timeline.now() >= (movedUntil.get(role) ?? 0);

  function heardBy(process: SimProcess): Heard {
    const known = heard.get(process);
    if (known !== undefined) return known;
    const nothing: Heard = { last: [], strangeSince: Infinity, letInAt: -Infinity };
    heard.set(process, nothing);
    process.onDeath(() => heard.delete(process));
    return nothing;
  }

  function note(
    process: SimProcess,
    index: number,
    askedAt: number,
    sawRegistered: boolean | undefined,
  ): void {
    const known = heardBy(process);
    known.last[index] = { askedAt, isRegistered: sawRegistered };
    const round = known.last.filter((answer) => answer.askedAt === askedAt);
    if (round.length < names.length) return;
    const seen = round.filter((answer) => answer.isRegistered !== undefined);
    // Where nobody answered, what was seen before still stands.
    if (seen.length === 0) return;
    const isStrange = seen.some((answer) => answer.isRegistered === false);
    if (!isStrange) known.strangeSince = Infinity;
    else if (known.strangeSince === Infinity) known.strangeSince = askedAt;
  }

  return {
    isRegistered,
    move(process, ms) {
      story.tell(
        () =>
          `${process.role} leaves from an address that is not registered for ${(ms / 1_000).toFixed(0)} s`,
      );
      movedUntil.set(process.role, timeline.now() + ms);
    },
    checkUrls: (process) =>
      names.map((name, index) => ({
        name,
        ask() {
          const { promise, resolve } = Promise.withResolvers<Awaited<ReturnType<AskedUrl["ask"]>>>();
          const askedAt = process.clock.monotonic();
          timeline.after(random.between(1, 60), () => {
            const address = isRegistered(process) ? registered : elsewhere;
            const isAnswered = !random.chance(0.05);
            process.deliver(random.between(1, 60), () => {
              note(process, index, askedAt, isAnswered ? address === registered : undefined);
              resolve(isAnswered ? { name, address } : { name, error: noAnswer() });
            });
          });
          return promise;
        },
      })),
    letIn(process, begunAt) {
      const known = heardBy(process);
      known.letInAt = Math.max(known.letInAt, begunAt);
    },
    mustBlock(process) {
      const known = heardBy(process);
      const [first, second] = known.last;
      if (first === undefined || second === undefined || first.askedAt !== second.askedAt) return false;
      return (
        first.isRegistered === false && second.isRegistered === false && known.letInAt < known.strangeSince
      );
    },
    everMoved: () => movedUntil.size > 0,
  };
}

function noAnswer(): AddressAnswerError {
  return new AddressAnswerError("no-answer", "the simulated check URL did not answer");
}

function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}

function networkOf(text: string): Network {
  const { network, wrong } = parseNetwork(text);
  if (network === undefined) throw new Error(`${text} ${wrong}`);
  return network;
}
