// A way through an enumeration, told step by step: who did what, what came of it, and what each clock showed. The way is
// walked once more, on a cluster of its own.

import { hasAuthority } from '../registry/protocol/authority.ts';
import type { Event, StoreOp } from '../registry/protocol/types.ts';
import { Actions, decode, encode } from './actions.ts';
import { Cluster } from './cluster.ts';
import type { Output } from './local.ts';
import { prepare } from './root.ts';
import { faults, type Scope } from './scope.ts';

export function tellStory(scope: Scope, path: readonly number[]): string {
  const cluster = new Cluster(scope);
  const actions = new Actions(cluster);
  prepare(cluster, actions);
  const lines: string[] = [`At the root: ${standing(cluster)}`];
  cluster.watch = (node, event, output) => lines.push(`    ${tellStep(cluster, { node, event, output })}`);
  path.forEach((code, index) => {
    lines.push(`${index + 1}. ${clocks(cluster)} ${tellAction(cluster, code)}`);
    actions.do(code);
  });
  cluster.watch = null;
  return [...lines, `In the end: ${standing(cluster)}`].join('\n');
}

/** What each clock shows, from the root on. */
function clocks(cluster: Cluster): string {
  const { quantumMs, nodes } = cluster.scope;
  const time = cluster.env.time * quantumMs;
  return `[${time} ms; ${nodes.map(({ name, rate }) => `${name} ${time * rate}`).join(', ')}]`;
}

function tellAction(cluster: Cluster, code: number): string {
  const { kind, a } = decode(code);
  const name = cluster.names[a] ?? '';
  switch (kind) {
    case 'tick':
      return `${name} looks what is due`;
    case 'flush':
      return `${name} sends what it gathered`;
    case 'restart':
      return `${name} goes on as a fresh incarnation`;
    case 'reply':
      return `${name} hears from the store`;
    case 'receive':
      return `a message arrives: ${cluster.links[a]?.name}`;
    case 'execute':
      return `the store takes ${tellOp(cluster.locals.ops.get(cluster.slot(a) >>> 1))} of ${name}`;
    case 'pass':
      return `time passes: ${cluster.scope.quantumMs} ms`;
    case 'ask': {
      const { at, do: what, name: key, after } = cluster.scope.ops[a] ?? { at: '', do: '' };
      return `a client at ${at}: ${what} ${key ?? `of call ${(after ?? 0) + 1}`}`;
    }
    case 'late':
      return `the store takes a late ${tellOp(cluster.locals.ops.get(cluster.env.late[a] ?? 0))}`;
    case 'fault':
    case 'end':
      return `${kind === 'end' ? 'ends: ' : ''}${faults[a]} ${targetName(cluster, code)}`;
    default:
      return kind satisfies never;
  }
}

function targetName(cluster: Cluster, code: number): string {
  const { a, b } = decode(code);
  const fault = faults[a] ?? 'crash';
  if (fault === 'proof') return `of ${cluster.env.ended[b >>> 2]} to ${cluster.names[b & 3]}`;
  if (fault === 'mistake') return `of ${cluster.names[b >>> 2]} to ${cluster.names[b & 3]}`;
  if (['hold', 'cut', 'lose', 'linkUp', 'linkDown'].includes(fault))
    return cluster.scope.faults[fault]?.at?.[b] ?? cluster.links[b]?.name ?? '';
  return cluster.names[b] ?? '';
}

function tellOp(op: StoreOp): string {
  if (op.kind !== 'write') return op.kind;
  const { epoch, leader, renewals, established } = op.record;
  const removed = op.removeMembers.length > 0 ? `, removes ${op.removeMembers.join(' ')}` : '';
  return `write(epoch ${epoch}, leader ${leader}, renewal ${renewals}, established ${established.join(' ')}${removed})`;
}

function tellStep(cluster: Cluster, step: { node: number; event: Event; output: Output }): string {
  const { event, output, node } = step;
  const did: string[] = output.sends.map(
    ({ to, event: sent }) => `${tellEvent(cluster.locals.events.get(sent))} to ${to}`,
  );
  if (output.op !== 0) did.push(`asks the store: ${tellOp(cluster.locals.ops.get(output.op))}`);
  for (const { id, result } of output.replies) did.push(`answers call ${id}: ${brief(result)}`);
  if (output.fenced !== null) did.push(`fences itself, and ends ${output.fenced.join(' ') || 'nobody'}`);
  for (const pid of output.ended) did.push(`ends ${pid}`);
  if (output.left) did.push('has left');
  return `${cluster.names[node]} takes ${tellEvent(event)}${did.length > 0 ? `: ${did.join('; ')}` : ''}`;
}

function tellEvent(event: Event): string {
  if (event.type === 'message') {
    const { type, ...fields } = event.message;
    return `${type}(${brief(fields)})`;
  }
  if (event.type !== 'store') return event.type;
  const { outcome } = event;
  if (!('view' in outcome)) return `store: ${outcome.status}`;
  const { record } = outcome.view;
  return `store: ${outcome.status}, epoch ${record?.epoch} leader ${record?.leader} renewal ${record?.renewals}`;
}

function brief(value: unknown): string {
  return JSON.stringify(value, (key, one) => (key === 'durations' || key === 'record' ? undefined : one))
    .replaceAll('"', '')
    .slice(0, 200);
}

function standing(cluster: Cluster): string {
  const parts = cluster.names.map((name, node) => {
    if (cluster.local(node) === 0) return `${name} is down`;
    const state = cluster.locals.state(cluster.local(node));
    const { phase, follow, leader, host, self } = state;
    const office = leader === null ? `follows ${follow.leader}` : `leads epoch ${leader.epoch}`;
    const names = [...host.hosted.values()].flatMap((one) => [...one.names]);
    const until = follow.sessionUntil === null ? 'no session' : `session for ${follow.sessionUntil} ms`;
    return `${self} ${phase}, ${office}${hasAuthority(state, 0) ? ' with authority' : ''}, ${until}, hosts ${names.join(' ') || 'nothing'}`;
  });
  return parts.join('; ');
}

/** The numbers that `--path` takes. */
export function tellPath(path: readonly number[]): string {
  return path.map((code) => code.toString(36)).join('.');
}

export function readPath(text: string): number[] {
  return text.split('.').map((code) => Number.parseInt(code, 36) || encode('tick'));
}
