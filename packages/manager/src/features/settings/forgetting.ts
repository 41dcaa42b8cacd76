interface Removing {
  remove(id: string, ifMatch: string): Promise<void>;
}

/** Takes the settings away that were written for a thing, once it is deleted: another of its name begins without them. */
export const forgetting =
  (forget: (scope: string) => void) =>
  <T extends Removing>(
    service: T,
    nameOf: (id: string) => Promise<string | undefined>,
    kind: 'server' | 'environment' | 'user',
  ): T => ({
    ...service,
    async remove(id, ifMatch) {
      const name = await nameOf(id);
      await service.remove(id, ifMatch);
      if (name !== undefined) forget(`${kind}:${name}`);
    },
  });
