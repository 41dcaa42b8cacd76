/** The manager knows this server by its name still: a token for that name is made only once it is removed there. */
export const joinAgain =
  'Join again. On the manager: sboxmgr server remove NAME, then sboxmgr server token --name NAME; here: sboxagent join URL --token-file FILE';
