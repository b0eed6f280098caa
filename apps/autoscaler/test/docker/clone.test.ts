import { cloneOf } from '../../src/docker/clone.ts';

const WORKER = {
  Id: 'abcdef',
  Image: 'sha256:1234',
  Config: {
    Hostname: 'abcdef',
    User: 'node',
    Image: 'spillway-worker',
    Env: ['A=1'],
    StopTimeout: 60,
    Labels: {
      'com.docker.compose.project': 'house',
      'com.docker.compose.service': 'worker',
      'com.docker.compose.container-number': '1',
      'com.docker.compose.config-hash': 'ffff',
      'com.docker.compose.replace': 'older',
    },
  },
  HostConfig: { ReadonlyRootfs: true, Binds: ['house_files:/files'] },
  NetworkSettings: { Networks: { house_default: { IPAddress: '10.0.0.2', Aliases: ['house-worker-1', 'abcdef'] } } },
};

test('a clone has everything of its model but what the engine gave it, a name, a number and the image by its id', () => {
  expect(cloneOf(WORKER, 4)).toEqual({
    name: 'house-worker-4',
    body: {
      User: 'node',
      Image: 'sha256:1234',
      Env: ['A=1'],
      StopTimeout: 60,
      Labels: {
        'com.docker.compose.project': 'house',
        'com.docker.compose.service': 'worker',
        'com.docker.compose.container-number': '4',
        'com.docker.compose.config-hash': 'ffff',
      },
      HostConfig: WORKER.HostConfig,
      NetworkingConfig: { EndpointsConfig: { house_default: { Aliases: ['house-worker-4', 'worker'] } } },
    },
  });
});
