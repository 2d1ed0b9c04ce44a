/**
 * Connects to ADDRESS PORT and echoes a number there and back every 20 ms. Says the numbers that came back, and at the
 * end how it ended: `fin` or `rst`, or the error.
 */
import { connect } from 'node:net';

const socket = connect(Number(process.argv[3]), process.argv[2]);
let next = 1;
let text = '';
let ended = false;
const send = () => socket.write(`${next++}\n`);
const timer = setInterval(send, 20);
socket.setEncoding('latin1');
socket.on('data', (chunk) => {
  text += chunk;
  const lines = text.split('\n');
  text = lines.pop();
  for (const line of lines) process.stdout.write(`${line}\n`);
});
const over = (how) => {
  if (ended) return;
  ended = true;
  clearInterval(timer);
  process.stdout.write(`${how}\n`);
  socket.destroy();
};
socket.on('end', () => over('fin'));
socket.on('error', (error) => over(error.code === 'ECONNRESET' || error.code === 'EPIPE' ? 'rst' : error.message));
