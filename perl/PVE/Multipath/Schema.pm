package PVE::Multipath::Schema;

# Parameters and results of the API as schemas for PVE::JSONSchema. The knobs come from the library.

use v5.36;

use PVE::Multipath::Config;

my sub text($description, %more) {
    return { type => 'string', description => $description, %more };
}

my sub number($description, %more) {
    return { type => 'integer', description => $description, minimum => 0, %more };
}

my sub list($description, $items) {
    return { type => 'array', description => $description, items => $items };
}

# An object whose properties are optional except for @needed.
my sub object($properties, @needed) {
    my %needed = map { $_ => 1 } @needed;
    my %properties = map {
        $_ => $needed{$_} ? $properties->{$_} : { $properties->{$_}->%*, optional => 1 }
    } keys %$properties;
    return { type => 'object', properties => \%properties };
}

sub wwid() {
    return text(
        "The WWID of the LUN, as reported by multipathd.",
        pattern => '[a-zA-Z0-9._:][a-zA-Z0-9._:-]*',
        maxLength => 122,
        typetext => '<WWID>',
    );
}

# The knobs of a LUN, its alias among them.
sub lun() {
    return PVE::Multipath::Config::wwid_api_schema();
}

# The global knobs.
sub defaults() {
    return PVE::Multipath::Config::defaults_api_schema();
}

my $severity = text('The severity.', enum => ['error', 'warning']);

sub problem() {
    return object(
        {
            severity => $severity,
            code => text('The kind of problem, for programs.'),
            section => text('The ID of the section; absent for a line outside of sections.'),
            property => text('The property.'),
            message => text('What is wrong, and what to do about it.'),
        },
        qw(severity code message),
    );
}

sub finding() {
    return object(
        {
            severity => $severity,
            code => text('The kind of finding, for programs.'),
            line => number('The line, counted from 1.', minimum => 1),
            column => number('The column in bytes, counted from 1.', minimum => 1),
            message => text('What is wrong.'),
            instead => text('What to write instead.'),
            versions => list(
                'The affected versions of multipath-tools; absent if all are.', text('A version.'),
            ),
            text => text('The whole finding without its place, as a sentence.'),
        },
        qw(severity code line column message text),
    );
}

my $reason = {
    type => 'object',
    description => 'A reason: its code and details.',
    properties => {
        code => text(
            'The kind of reason, for programs: no-paths, all-paths-failed, path-failed,'
                . ' path-gone; of a node not-assembled, no-report, node-offline, reporter-stale,'
                . ' no-multipathd, bad-broadcast, newer-broadcast, unknown-state, and why a node has no map:'
                . ' not-visible, other-wwid, blacklisted, missing-property, no-wwid, not-monitored,'
                . ' native-nvme, held, not-in-wwids-file, alias-taken, paths-offline.',
        ),
    },
    additionalProperties => 1,
};

my $note = {
    type => 'object',
    description => 'A note that does not affect the state: its code and details.',
    properties => {
        code => text(
            'The kind of note, for programs: single-hba, single-target-port, single-target,'
                . ' more-paths-than-configured, suspended, all-paths-marginal, all-checkers-faulty;'
                . ' of a LUN size-differs, name-differs, transport-differs, paths-differ,'
                . ' write-protection-differs.',
        ),
    },
    additionalProperties => 1,
};

my $health = text('The health of the map.', enum => ['optimal', 'degraded', 'failed']);
my $state = text(
    'The state.', enum => ['optimal', 'degraded', 'missing', 'failed', 'unknown'],
);
my $transport = text('The transport of the paths.');
my $size = number('The size in bytes.');
my $active = number('Number of active paths.');
my $total = number('Number of paths.');
my $expected = number('Expected number of paths, if known.');
my $notes = list('Notes beside the state.', $note);

my $path = object(
    {
        dev => text('Kernel name on this node.'),
        'dev-number' => text('Device number.'),
        'dm-state' => text('State of the path in device-mapper.'),
        'dev-state' => text('State of the block device.'),
        'check-state' => text('Last result of the path checker.'),
        checker => text('Name of the path checker.'),
        priority => { type => 'integer', description => 'Priority; -1 if unset.' },
        transport => $transport,
        'host-wwnn' => text('Fibre Channel: node name of the HBA.'),
        'host-wwpn' => text('Fibre Channel: port name of the HBA.'),
        'target-wwnn' => text('Fibre Channel: node name of the target; iSCSI: its IQN.'),
        'target-wwpn' => text('Fibre Channel: port name of the target.'),
        'host-adapter' => text("PCI address of the HBA; iSCSI: the initiator's address."),
        lun => text('Number of the LUN.'),
        'marginal-state' => text("'marginal' if the path fails intermittently."),
    },
    'dev',
);

my $group = object(
    {
        group => number('Number of the group, counted from 1.'),
        'dm-state' => text('State of the group.'),
        priority => { type => 'integer', description => 'Priority; -1 if unset.' },
        selector => text('Path selector.'),
        'marginal-state' => text("'marginal' if the group is only used when no other is left."),
        paths => list('The paths of the group.', $path),
    },
    qw(group dm-state priority paths),
);

sub map() {
    return object(
        {
            wwid => wwid(),
            name => text('Name in /dev/mapper on this node.'),
            sysfs => text('Kernel name of the map.'),
            'dm-state' => text('State of the device-mapper device.'),
            health => $health,
            reasons => list('Why the map is not optimal.', $reason),
            'paths-active' => $active,
            'paths-total' => $total,
            'paths-expected' => $expected,
            notes => $notes,
            'path-groups' => list('The path groups.', $group),
            transport => $transport,
            vendor => text('Vendor, as reported by the array.'),
            product => text('Product, as reported by the array.'),
            revision => text('Firmware revision, as reported by the array.'),
            queueing => text('What happens to I/O while there is no path.'),
            failback => text('When a preferred path group is used again.'),
            features => text('Features of the device-mapper table.'),
            'hardware-handler' => text('Hardware handler of the device-mapper table.'),
            'write-protected' => { type => 'boolean', description => 'Whether it is read-only.' },
            'path-faults' => number('Number of path failures since multipathd has known the map.'),
            'group-switches' => number('Number of path group switches.'),
            'map-loads' => number('Number of table loads of the map.'),
            'queue-seconds' => number('Seconds that I/O was queued because there was no path.'),
            'queue-timeouts' => number('Number of times that queueing ended with a time-out.'),
            size => $size,
            path => text('Link in /dev/disk/by-id.'),
            used => {
                type => 'boolean',
                description => 'Whether a device, such as a logical volume, uses the map.',
            },
        },
        qw(wwid name sysfs dm-state health paths-active paths-total path-groups),
    );
}

sub candidates() {
    my $reason = {
        type => 'object',
        description => "Why it is not offered: a code, and whether adding it would do no harm ('harmless').",
        additionalProperties => 1,
    };
    my %sight = (
        paths => number('Number of paths.'),
        devs => list('Kernel names of the paths, at most 16.', text('A name.')),
        reason => $reason,
        told => list('Why it is not offered, what is on it, and what else to know.', text('A sentence.')),
    );
    my $candidate = object(
        {
            %sight,
            wwid => text('The WWID as multipathd has it.'),
            'udev-wwid' => text('The WWID as udev has it, if multipathd has none.'),
            size => $size,
            vendor => text('Vendor.'),
            product => text('Product.'),
            serial => text('Serial number.'),
            transport => $transport,
            protocol => text('The protocol as multipathd writes it.'),
            offered => { type => 'boolean', description => 'Whether it may be put on the allow-list.' },
            nodes => {
                type => 'object',
                description => 'What each node that sees it says of it, by name: '
                    . join(', ', sort keys %sight) . '.',
                additionalProperties => 1,
            },
        },
        qw(paths devs offered nodes),
    );
    return object(
        {
            candidates => list('Those that may be put on the allow-list first.', $candidate),
            omitted => number('How many the nodes have left out.'),
            unknown => {
                type => 'object',
                description => 'The nodes of which it is not known what they see, with the reason.',
                additionalProperties => 1,
            },
            warnings => list('What could not be read on this node.', text('A sentence.')),
        },
        qw(candidates omitted unknown warnings),
    );
}

sub status() {
    my $cell = object(
        {
            state => $state,
            reasons => list('Why the state is not optimal.', $reason),
            'paths-active' => $active,
            'paths-total' => $total,
            'paths-expected' => $expected,
            transport => $transport,
            notes => $notes,
            since => number('When the state began, in seconds since the epoch, if known.'),
            causes => list('The positions in the list of causes of those that concern it.', number('A position.')),
        },
        'state',
    );
    my $lun = object(
        {
            wwid => wwid(),
            alias => text('The alias.'),
            'used-by' => text('The storage that uses it, else what nodes have found.'),
            uses => list('What uses it.', object(
                {
                    text => text('What uses it, in words.'),
                    storage => text('The storage.'),
                    how => text("How it does: 'base', 'volume-group', 'direct'."),
                    vg => text('The volume group.'),
                    target => text('The target.'),
                    nodes => { type => 'object', description => 'The nodes that report it.', additionalProperties => 1 },
                    node => text('The node that has found it.'),
                    uses => list('What it has found.', {
                        type => 'object', description => 'A code, details and a text.', additionalProperties => 1,
                    }),
                    'not-known' => text('Why it is not known whether the node uses it.'),
                },
                'text',
            )),
            size => $size,
            'cluster-state' => $state,
            notes => list('Disagreements between the nodes.', $note),
            nodes => {
                type => 'object',
                description => 'The state on each node, by name: '
                    . join(', ', sort keys $cell->{properties}->%*) . '.',
                additionalProperties => $cell,
            },
        },
        qw(wwid cluster-state nodes),
    );
    my $node_errors = object({
        'apply-error' => text('Why the configuration could not be applied.'),
        'apply-time' => number('The time of that error, in seconds since the epoch.'),
        'report-error' => {
            %$reason,
            description => 'Why the report of the node cannot be read, also if no LUN is expected'
                . ' on it: the code bad-broadcast or newer-broadcast, and details.',
        },
    });
    my $cause = object(
        {
            code => text('The kind of port.', enum => ['initiator-port', 'target-port']),
            text => text('The whole cause, as a sentence.'),
            node => text("The node whose port it is, of an initiator's port."),
            initiator => text("The name of an initiator's port."),
            host => number("The number of the SCSI host of an initiator's port."),
            target => text("The name of a target's port."),
            array => {
                %{ object({ map { $_ => text("The array's $_.") } qw(vendor product wwnn) }) },
                description => 'The array, as far as it is known.',
            },
            paths => number('Number of paths that were lost.'),
            luns => number('Number of LUNs that lost paths.'),
            nodes => {
                type => 'object',
                description => 'By node, the numbers of paths and LUNs there.',
                additionalProperties => 1,
            },
        },
        qw(code text paths luns nodes),
    );
    my $node_info = object({
        version => text('Version of pve-multipath.'),
        'multipath-tools' => text('Version of multipath-tools, if it is installed.'),
        multipathd => text(
            'Whether multipathd answers.',
            enum => ['running', 'stopped', 'no-answer', 'not-installed'],
        ),
        'applied-time' => number('When the configuration was last applied, in seconds since the epoch.'),
        'applied-digest' => text('Digest of that configuration.'),
        drift => list('What another file overrides.', text('A sentence.')),
        'report-time' => number('When the node sent its report, in seconds since the epoch.'),
    });
    return object(
        {
            luns => list('The LUNs, sorted by WWID.', $lun),
            causes => list('Ports that explain lost paths, those with most paths first.', $cause),
            'node-info' => {
                type => 'object',
                description => 'What the nodes say of themselves, by name: '
                    . join(', ', sort keys $node_info->{properties}->%*) . '.',
                additionalProperties => $node_info,
            },
            nodes => {
                type => 'object',
                description => 'Errors of the nodes themselves, by name: '
                    . join(', ', sort keys $node_errors->{properties}->%*) . '.',
                additionalProperties => $node_errors,
            },
        },
        qw(luns nodes causes node-info),
    );
}

1;
