/**
 * Asks `http://ADDRESS:PORT/hostname` COUNT times, a new connection each, 50 at once, and says as JSON how often each
 * answer came, and how many had none.
 */
import { connect } from 'node:net';

const [address, port, count] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const answers = {};
let failures = 0;
let left = count;

/** The body of the answer; undefined when there is none. */
function ask() {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    let text = '';
    socket.setEncoding('latin1');
    socket.on('connect', () => socket.write('GET /hostname HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'));
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => resolve(undefined));
    socket.on('close', () => resolve(text.split('\r\n\r\n')[1]));
  });
}

async function worker() {
  while (left > 0) {
    left--;
    const answer = await ask();
    if (answer === undefined) failures++;
    else answers[answer] = (answers[answer] ?? 0) + 1;
  }
}

await Promise.all(Array.from({ length: 50 }, worker));
process.stdout.write(JSON.stringify({ answers, failures }));
