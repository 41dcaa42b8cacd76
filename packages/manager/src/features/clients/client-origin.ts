/** Where clients reach `/sub`: scheme and host. */
export interface ClientOrigin {
  /** What the settings say; undefined: as each request came. */
  readonly told: string | undefined;
  /** For a link that is shown to who does not come that way. */
  readonly origin: () => string;
  /** Tells it where the manager listens. */
  readonly listening: (doors: readonly OpenDoor[]) => void;
}

interface OpenDoor {
  readonly url: string;
  readonly serves: readonly string[];
}

/** The address of the settings, else the first name at the door that serves clients, else that door. */
export function createClientOrigin({
  clients: { url: told },
  names: [name],
}: {
  readonly clients: { readonly url?: string | undefined };
  readonly names: readonly string[];
}): ClientOrigin {
  let found = '';
  return {
    told,
    origin: () => told ?? found,
    listening(doors) {
      const door = doors.find(({ serves }) => serves.includes('sub')) ?? doors[0];
      const url = door && URL.parse(door.url);
      if (url && name !== undefined) url.hostname = name.includes(':') ? `[${name}]` : name;
      found = url?.origin ?? '';
    },
  };
}
