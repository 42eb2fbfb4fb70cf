import { hash } from "node:crypto";

import type { Clock } from "../clock.ts";
import { dayMs } from "../lib/duration.ts";

/** The newest so many are remembered, unless it is said how many… */
const mostCompleted = 100_000;
/** …and for so long at most. */
const longestMs = dayMs;

/** Words of 32 bits that stand for a key. */
const words = 4;
const digitsOfWord = 8;

/** Transactions whose money has moved, as far as this process remembers. */
export interface Completed {
  /** @param ageMs how long ago that was learnt, where an earlier process has; those are added first, the oldest first */
  add(key: string, ageMs?: number): void;
  /** Wall clock of when that was learnt; undefined of one that is not known. */
  at(key: string): number | undefined;
  /** @returns whether it was known */
  forget(key: string): boolean;
}

/**
 * Half of a SHA-256 stands for each key, so that nobody can name two that look alike: one that was
 * taken for another would be told as paid. They lie in arrays of a fixed size, 3.3 MiB of which
 * nothing is touched before it is needed. A `Map` of strings took 15, and left as much again behind
 * for every hundred thousand, where only the collector's longest kind of work finds it.
 */
export function createCompleted(clock: Pick<Clock, "monotonic" | "now">, most = mostCompleted): Completed {
  /** Places of the table in which they are found: a power of two, and never as much as half of them taken. */
  const places = 2 ** (1 + Math.ceil(Math.log2(most + 1)));
  /** A ring, in the order of their coming. */
  const prints = new Uint32Array(most * words);
  /** Monotonic times. */
  const addedAt = new Float64Array(most);
  let next = 0;
  /** Open addressing: each is in the first free place from where its first word says. One more than its slot in the ring; 0 is free. */
  const table = new Int32Array(places);
  /** What is looked for. */
  const print = new Uint32Array(words);

  function setPrint(key: string): void {
    // A Buffer for each costs more than its digits.
    const digits = hash("sha256", key, "hex");
    for (let word = 0; word < words; word += 1)
      print[word] = Number.parseInt(digits.slice(word * digitsOfWord, (word + 1) * digitsOfWord), 16);
  }

  const homeOf = (slot: number): number => (prints[slot * words] ?? 0) % places;
  const after = (place: number): number => (place + 1) % places;
  /** Steps from one place forward to another. */
  const distance = (from: number, to: number): number => (to - from + places) % places;

  function isAt(slot: number): boolean {
    for (let word = 0; word < words; word += 1) if (prints[slot * words + word] !== print[word]) return false;
    return true;
  }

  /** The place of what is looked for, or undefined. */
  function find(): number | undefined {
    for (let place = (print[0] ?? 0) % places; ; place = after(place)) {
      const taken = table[place] ?? 0;
      if (taken === 0) return undefined;
      if (isAt(taken - 1)) return place;
    }
  }

  /** Those behind it move up, so that none of them is looked for in vain. */
  function clear(place: number): void {
    let hole = place;
    for (let other = after(place); ; other = after(other)) {
      const taken = table[other] ?? 0;
      if (taken === 0) break;
      if (distance(homeOf(taken - 1), other) < distance(hole, other)) continue;
      table[hole] = taken;
      hole = other;
    }
    table[hole] = 0;
  }

  /** Whoever was in this slot of the ring is the oldest. What came again since, or was forgotten, is in no place any more. */
  function empty(slot: number): void {
    for (let place = homeOf(slot); table[place] !== 0; place = after(place)) {
      if (table[place] !== slot + 1) continue;
      clear(place);
      return;
    }
  }

  function insert(slot: number): void {
    prints.set(print, slot * words);
    let place = homeOf(slot);
    while (table[place] !== 0) place = after(place);
    table[place] = slot + 1;
  }

  return {
    add(key, ageMs = 0) {
      setPrint(key);
      const known = find();
      if (known !== undefined) clear(known);
      empty(next);
      insert(next);
      addedAt[next] = clock.monotonic() - ageMs;
      next = (next + 1) % most;
    },
    at(key) {
      setPrint(key);
      const place = find();
      if (place === undefined) return undefined;
      const ageMs = clock.monotonic() - (addedAt[(table[place] ?? 0) - 1] ?? 0);
      return ageMs < longestMs ? clock.now() - ageMs : undefined;
    },
    forget(key) {
      setPrint(key);
      const place = find();
      if (place !== undefined) clear(place);
      return place !== undefined;
    },
  };
}
