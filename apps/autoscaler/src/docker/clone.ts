import { type Inspected, LABELS } from './containers.ts';

/** What creates a container that is like another one. */
export interface Clone {
  name: string;
  body: object;
}

/**
 * Another container of the same service: the same image, settings, mounts, limits and labels, with a name and a number of its
 * own, so that compose counts it among its own. What the engine gave the first one for itself (its host name, its
 * addresses) is left out. The image goes by its id, as a tag may have moved since. Pure.
 */
export function cloneOf({ Config, HostConfig, Image, NetworkSettings }: Inspected, number: number): Clone {
  const { [LABELS.project]: project = '', [LABELS.service]: service = '' } = Config.Labels;
  const { [LABELS.replaces]: _, ...labels } = Config.Labels;
  const { Hostname: _hostname, MacAddress: _address, ...settings } = Config as Record<string, unknown>;
  const name = `${project}-${service}-${number}`;
  const networks = Object.keys(NetworkSettings.Networks).map((network) => [network, { Aliases: [name, service] }]);
  return {
    name,
    body: {
      ...settings,
      Image,
      Labels: { ...labels, [LABELS.number]: `${number}` },
      HostConfig,
      NetworkingConfig: { EndpointsConfig: Object.fromEntries(networks) },
    },
  };
}
