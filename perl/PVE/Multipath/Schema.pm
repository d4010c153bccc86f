package PVE::Multipath::Schema;

# What the API takes and returns, as PVE::JSONSchema has it. The knobs come from the library's table.

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

# All of it may be absent but for these.
my sub object($properties, @needed) {
    my %needed = map { $_ => 1 } @needed;
    my %properties = map {
        $_ => $needed{$_} ? $properties->{$_} : { $properties->{$_}->%*, optional => 1 }
    } keys %$properties;
    return { type => 'object', properties => \%properties };
}

sub wwid() {
    return text(
        "The LUN's WWID, as multipathd reports it.",
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

my $severity = text('How bad it is.', enum => ['error', 'warning']);

sub problem() {
    return object(
        {
            severity => $severity,
            code => text('What kind of problem it is, for programs.'),
            section => text('ID of the section in multipath.cfg; none for a line outside of sections.'),
            property => text('The property.'),
            message => text('What is wrong and what to do.'),
        },
        qw(severity code message),
    );
}

sub finding() {
    return object(
        {
            severity => $severity,
            code => text('What kind of finding it is, for programs.'),
            line => number('The line, from 1.', minimum => 1),
            column => number('The column in bytes, from 1.', minimum => 1),
            message => text('What is wrong.'),
            instead => text('What to write instead.'),
            versions => list(
                'The versions of multipath-tools that are meant; absent for all.', text('A version.'),
            ),
            text => text('All of it but the place, in a sentence.'),
        },
        qw(severity code line column message text),
    );
}

my $reason = {
    type => 'object',
    description => 'A reason: its code, and the facts that belong to it.',
    properties => {
        code => text(
            'What kind of reason it is, for programs: no-paths, all-paths-failed, path-failed,'
                . ' path-gone; of a node not-assembled, no-report, node-offline, reporter-stale,'
                . ' bad-broadcast, newer-broadcast, unknown-state.',
        ),
    },
    additionalProperties => 1,
};

my $note = {
    type => 'object',
    description => 'A note, which makes nothing worse: its code, and the facts that belong to it.',
    properties => {
        code => text(
            'What kind of note it is, for programs: single-hba, single-target-port, single-target,'
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
my $transport = text('How the paths reach the LUN.');
my $size = number('The size in bytes.');
my $active = number('Number of active paths.');
my $total = number('Number of paths.');
my $expected = number('Number of paths that there should be, as far as that is known.');
my $notes = list('What is worth knowing beside the state.', $note);

my $path = object(
    {
        dev => text('Kernel name, local to the node.'),
        'dev-number' => text('Device number.'),
        'dm-state' => text('State that device-mapper has of the path.'),
        'dev-state' => text('State of the block device.'),
        'check-state' => text('What the path checker found last.'),
        checker => text('Name of the path checker.'),
        priority => { type => 'integer', description => 'Priority; -1 if there is none.' },
        transport => $transport,
        'host-wwnn' => text('Fibre Channel: node name of the HBA.'),
        'host-wwpn' => text('Fibre Channel: port name of the HBA.'),
        'target-wwnn' => text('Fibre Channel: node name of the target; iSCSI: its IQN.'),
        'target-wwpn' => text('Fibre Channel: port name of the target.'),
        'host-adapter' => text("PCI address of the HBA; iSCSI: the initiator's address."),
        lun => text('Number of the LUN.'),
        'marginal-state' => text("'marginal' where the path fails now and then."),
    },
    'dev',
);

my $group = object(
    {
        group => number('Number of the group, from 1.'),
        'dm-state' => text('State of the group.'),
        priority => { type => 'integer', description => 'Priority; -1 if there is none.' },
        selector => text('Path selector.'),
        'marginal-state' => text("'marginal' where the group is used last."),
        paths => list("The group's paths.", $path),
    },
    qw(group dm-state priority paths),
);

sub map() {
    return object(
        {
            wwid => wwid(),
            name => text('Name below /dev/mapper, local to the node.'),
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
            vendor => text('Vendor that the array reports.'),
            product => text('Product that the array reports.'),
            revision => text('Firmware revision that the array reports.'),
            queueing => text('What happens to I/O while no path is left.'),
            failback => text('When a preferred path group is used again.'),
            features => text('Features of the device-mapper table.'),
            'hardware-handler' => text('Hardware handler of the device-mapper table.'),
            'write-protected' => { type => 'boolean', description => 'Whether it is read-only.' },
            'path-faults' => number('Path failures since multipathd knows the map.'),
            'group-switches' => number('Switches of the path group.'),
            'map-loads' => number("Loads of the map's table."),
            'queue-seconds' => number('Seconds that I/O was queued for lack of a path.'),
            'queue-timeouts' => number('How often queueing ended by its time-out.'),
            size => $size,
            path => text('Link below /dev/disk/by-id.'),
            used => { type => 'boolean', description => 'Whether something holds the map open.' },
        },
        qw(wwid name sysfs dm-state health paths-active paths-total path-groups),
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
        },
        'state',
    );
    my $lun = object(
        {
            wwid => wwid(),
            alias => text('Its alias.'),
            'used-by' => text('The storage that uses it.'),
            size => $size,
            'cluster-state' => $state,
            notes => list('In what the nodes disagree.', $note),
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
        'apply-time' => number('When, in seconds since the epoch.'),
        'report-error' => {
            %$reason,
            description => 'Why the report of the node cannot be read, also where no LUN is expected'
                . ' on it: the code bad-broadcast or newer-broadcast, and the facts.',
        },
    });
    return object(
        {
            luns => list('The LUNs, sorted by WWID.', $lun),
            nodes => {
                type => 'object',
                description => 'What is wrong with the nodes themselves, by name: '
                    . join(', ', sort keys $node_errors->{properties}->%*) . '.',
                additionalProperties => $node_errors,
            },
        },
        qw(luns nodes),
    );
}

1;
