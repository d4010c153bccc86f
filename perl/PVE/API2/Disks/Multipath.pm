package PVE::API2::Disks::Multipath;

# /nodes/{node}/disks/multipath: the maps of a node.

use v5.36;

use PVE::Exception qw(raise);
use PVE::JSONSchema qw(get_standard_option);

use PVE::Multipath;
use PVE::Multipath::Schema;
use PVE::RESTHandler;

use base qw(PVE::RESTHandler);

my sub found($wwid, $result) {
    return $result // raise("no multipath map with WWID '$wwid' on this node\n", code => 404);
}

my $audit = { check => ['perm', '/nodes/{node}', ['Sys.Audit']] };

__PACKAGE__->register_method({
    name => 'index',
    path => '',
    method => 'GET',
    protected => 1,
    proxyto => 'node',
    description => 'The multipath maps of the node.',
    permissions => $audit,
    parameters => {
        additionalProperties => 0,
        properties => { node => get_standard_option('pve-node') },
    },
    returns => {
        type => 'object',
        properties => {
            supported => { type => 'boolean', description => 'Whether multipath-tools is installed.' },
            running => { type => 'boolean', description => 'Whether multipathd is running and answers.' },
            daemon => {
                type => 'string',
                enum => ['running', 'stopped', 'no-answer'],
                optional => 1,
                description => 'The state of multipathd, if multipath-tools is installed. If it'
                    . ' does not answer, it may be busy or hang.',
            },
            maps => {
                type => 'array',
                description => 'The maps; empty unless multipathd is running and answers.',
                items => PVE::Multipath::Schema::map(),
            },
        },
    },
    code => sub($param) {
        return PVE::Multipath::node_status();
    },
});

__PACKAGE__->register_method({
    name => 'map',
    path => '{wwid}',
    method => 'GET',
    protected => 1,
    proxyto => 'node',
    description => 'One multipath map of the node with its path groups and paths.',
    permissions => $audit,
    parameters => {
        additionalProperties => 0,
        properties => {
            node => get_standard_option('pve-node'),
            wwid => PVE::Multipath::Schema::wwid(),
        },
    },
    returns => PVE::Multipath::Schema::map(),
    code => sub($param) {
        return found($param->{wwid}, PVE::Multipath::get_map_for_wwid($param->{wwid}));
    },
});

__PACKAGE__->register_method({
    name => 'accept_paths',
    path => '{wwid}/accept-paths',
    method => 'POST',
    protected => 1,
    proxyto => 'node',
    description => 'Make the present number of paths of a map the expected one.',
    permissions => { check => ['perm', '/nodes/{node}', ['Sys.Modify']] },
    parameters => {
        additionalProperties => 0,
        properties => {
            node => get_standard_option('pve-node'),
            wwid => PVE::Multipath::Schema::wwid(),
        },
    },
    returns => { type => 'integer', description => 'The number of paths.' },
    code => sub($param) {
        return found($param->{wwid}, PVE::Multipath::accept_paths($param->{wwid}));
    },
});

1;
