// Where every member stands, for the end of a story.
import { hasAuthority } from '../registry/protocol/authority.ts';
import type { LeaderState, MemberState } from '../registry/protocol/state.ts';
import type { Cluster, SimNode } from './cluster.ts';

export function tellStanding(cluster: Cluster): string {
  const { record, members } = cluster.store;
  const store = `store: epoch ${record?.epoch}, leader ${record?.leader}, established ${record?.established.join(' ')}, members ${members.join(' ')}`;
  return [store, ...[...cluster.nodes.values()].map((node) => tellNode(cluster, node))].join('\n');
}

function tellNode(cluster: Cluster, node: SimNode): string {
  const { state } = node;
  if (state === null) return `${node.name}: down`;
  const now = cluster.localTime(node);
  const { follow, replica, host, store } = state;
  const parts = [
    `${state.self} ${state.phase}${node.paused ? ' paused' : ''}`,
    `follows ${follow.leader} in ${follow.promised}${follow.serving ? ' (serving)' : ''}`,
    `session ${left(follow.sessionUntil, now)}, support ${left(follow.supportUntil, now)}, claim in ${left(follow.claimAt, now)}`,
    `version ${replica.version.epoch}.${replica.version.n}${follow.adopted ? '' : ' (not adopted)'}, ${replica.entries.size} entries`,
    `outbox ${host.outbox.size}, reads ${host.asks.size}, pulls ${state.pulls.size}`,
    store.undecided === null ? '' : `undecided ${store.undecided.purpose}`,
  ];
  const leads = state.leader === null ? '' : `\n    ${tellLeader(state, state.leader, now)}`;
  return parts.filter((part) => part !== '').join('; ') + leads;
}

function tellLeader(state: MemberState, leader: LeaderState, now: number): string {
  const flags = [
    hasAuthority(state, now) ? 'authority' : 'no authority',
    leader.complete ? 'complete' : 'taking over',
    leader.stopped ? 'stopped' : '',
  ];
  const peers = [...leader.peers.values()].map((peer) => {
    const marks = [
      peer.promised === null ? 'no promise' : peer.synced ? 'synced' : 'not synced',
      `sent ${peer.sent} acked ${peer.acked} expect ${peer.expect}`,
      peer.uncommitted.length > 0 ? `uncommitted ${peer.uncommitted.map((one) => one.n).join(',')}` : '',
      peer.evicting ? 'evicting' : '',
      peer.goodbye ? 'goodbye' : '',
    ];
    return `\n    ${peer.key}: ${marks.filter((mark) => mark !== '').join(', ')}`;
  });
  return `leads epoch ${leader.epoch}: ${flags.filter((flag) => flag !== '').join(', ')}; n ${leader.n}, log from ${leader.log.base}; uncommitted ${[...leader.uncommitted.keys()].join(' ')}; parked ${leader.parkedCount}; leaving ${[...leader.leaving.keys()].join(' ')}; reserved ${[...leader.reserved].join(' ')}${peers.join('')}`;
}

function left(until: number | null, now: number): string {
  return until === null ? 'none' : (until - now).toFixed(0);
}
