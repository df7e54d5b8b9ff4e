/** Lets others run (events, messages) before a long computation goes on. */
export async function nextTurn(): Promise<void> {
  await new Promise<void>((resolve) => {
    setTimeout(resolve, 0);
  });
}
