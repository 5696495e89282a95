// Runs one case of a script: `node SCRIPT CASE GIVEN`, where GIVEN is JSON with the base URL, the
// key and whatever the case needs. Prints the JSON of what the case gives back.

export const given = JSON.parse(process.argv[3]);

export async function run(cases) {
  const found = await cases[process.argv[2]]();
  process.stdout.write(JSON.stringify(found));
}

// What an SDK's error says; the name is that of its class.
export function told(error) {
  const { status, type, code, param, requestID, message } = error;
  return { name: error.constructor.name, status, type, code, param, requestID, message };
}
