/** Many of the same thing, all there in the end, some at a time on the way: how fast a crowd comes is another test. */
export async function crowd<T>(
  count: number,
  open: (index: number) => Promise<T>,
  atOnce = 25,
): Promise<T[]> {
  const all: T[] = [];
  let next = 0;
  const one = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) all[index] = await open(index);
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  return all;
}
