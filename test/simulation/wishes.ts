import type { World } from "./world.ts";

/** What people do of their own accord: they wish for tokens, and change the password. */
export function scheduleWishes(world: World): void {
  const { scenario, timeline, random, story } = world;
  for (let left = scenario.wishes; left > 0; left -= 1) {
    timeline.after(random.between(1_000, scenario.faultsMs), () => {
      const issuer = world.sidecars().find(({ lifecycle }) => lifecycle !== undefined);
      story.tell(() => `a person wants a token from ${issuer?.process.name ?? "nobody"}`);
      void issuer?.lifecycle?.renew({ force: false, waitMs: 30_000 });
    });
  }
  for (let left = scenario.resets; left > 0; left -= 1)
    timeline.after(random.between(1_000, scenario.faultsMs), () => world.resetPassword());
}
