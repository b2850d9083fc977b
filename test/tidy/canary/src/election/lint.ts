export async function wrong(given: any, kind: "a" | "b"): Promise<void> {
  const clock = [Date.now(), new Date(), performance.now()];
  const chance = [Math.random(), crypto.randomUUID()];
  const timers = [setTimeout(() => {}, 1), setInterval(() => {}, 1), setImmediate(() => {})];
  const surroundings = [process.pid, Buffer.alloc(1), fetch("")];
  console.log(clock, chance, timers, surroundings, given!.length);
  Promise.resolve();
  switch (kind) {
    case "a":
      return;
  }
}
