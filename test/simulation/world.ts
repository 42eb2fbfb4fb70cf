import { createPlaces } from "./places.ts";
import type { Places, PlacesOptions } from "./places.ts";
import { createPopulation } from "./population.ts";
import type { Population } from "./population.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimSidecar } from "./sim-sidecar.ts";

/** A world: what is real in it are the parts of the program that its sidecars are made of. */
export interface World extends Places, Population {
  /** Those that live. */
  sidecars(): readonly SimSidecar[];
}

export function createWorld(options: Omit<PlacesOptions, "alive">): World {
  const alive = new Map<SimProcess, SimSidecar>();
  const places = createPlaces({ ...options, alive });
  return { ...places, ...createPopulation(places, alive), sidecars: () => [...alive.values()] };
}
