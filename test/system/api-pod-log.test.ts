/** Logs of pods: the end of them, and what comes behind it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newLines } from '../../src/api/pod-log.ts';
import { kinds } from '../../src/store/resources.ts';
import { pod, ServedCluster } from '../api/served-cluster.ts';

const PATH = '/api/v1/namespaces/default/pods/web/log';

let served: ServedCluster;

beforeEach(async () => {
  served = await ServedCluster.start();
  served.store.create(pod('web'));
});

afterEach(() => served.close());

const logIs = (...lines: string[]) => served.cluster.logs.set('default/web', lines.map((line) => `${line}\n`).join(''));

test('a log is text, as a whole or its end', async () => {
  expect(await served.ask(PATH)).toEqual({ code: 200, text: '', type: 'text/plain; charset=utf-8' });
  logIs('one', 'two', 'three');
  expect((await served.ask(PATH)).text).toBe('one\ntwo\nthree\n');
  expect((await served.ask(`${PATH}?tailLines=2`)).text).toBe('two\nthree\n');
  expect((await served.ask(`${PATH}?tailLines=0`)).text).toBe('');
  expect((await served.ask(`${PATH}?tailLines=9`)).text).toBe('one\ntwo\nthree\n');
  expect((await served.ask(PATH.replace('web', 'db'))).code).toBe(404);
});

test('who follows hears every line once, until the pod is gone', async () => {
  logIs('one', 'two');
  const response = await served.open(`${PATH}?follow=true&tailLines=1`);
  let text = '';
  response.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  const has = async (wanted: string) => {
    for (let i = 0; text !== wanted && i < 200; i++) await sleep(10);
    expect(text).toBe(wanted);
  };
  await has('two\n');
  logIs('one', 'two', 'three');
  await has('two\nthree\n');
  const { log } = served.cluster;
  served.cluster.log = () => Promise.reject(new Error('the node has died'));
  await sleep(300);
  served.cluster.log = log;
  logIs('three', 'four'); // the oldest are forgotten
  await has('two\nthree\nfour\n');
  const ended = new Promise((resolve) => response.on('end', resolve));
  served.store.remove(kinds.Pod, 'default', 'web');
  await ended;
});

describe('what is new in a log', () => {
  test.each([
    ['a b', 'a b', ''],
    ['', 'a', 'a'],
    ['a b', 'a b c', 'c'],
    ['a b c', 'b c d', 'd'],
    ['a b c', 'c d e', 'd e'],
    ['a b', 'x y', 'x y'],
    ['a a a', 'a a a a', 'a'],
    ['a b a b', 'a b a b c', 'c'],
    ['a b', '', ''],
  ])('%j, then %j', (known, now, wanted) => {
    const words = (text: string) => text.split(' ').filter((word) => word !== '');
    expect(newLines(words(known), words(now))).toEqual(words(wanted));
  });
});
