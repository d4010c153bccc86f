package PVE::Multipath::CLI::Record;

# pvemultipath record: records this node and its cluster in a folder for --replay.

use v5.36;

use JSON::PP ();

use PVE::Multipath;
use PVE::Multipath::Candidates;
use PVE::Multipath::CLI::Output qw(print_lines print_data);
use PVE::Multipath::File;
use PVE::Multipath::Node;
use PVE::Multipath::Node::Recorded;
use PVE::Multipath::Source;
use PVE::Multipath::Text qw(characters safe);
use PVE::Multipath::Uses;
use PVE::RS::Multipath::Maps;
use PVE::RS::Multipath::Plan;

my sub spew($path, $bytes) {
    PVE::Multipath::File::make_directory($path =~ s!/[^/]*\z!!r);
    open(my $fh, '>:raw', $path) or die "cannot write '$path' - $!\n";
    (print {$fh} $bytes) && close($fh) or die "cannot write '$path' - $!\n";
    return;
}

my sub record_reply($path, $reply) {
    spew("$path.out", $reply->{stdout});
    spew("$path.err", $reply->{stderr}) if length($reply->{stderr});
    my $how = $reply->{'timed-out'} ? 'timeout' : $reply->{'exit-code'} // 'signal';
    spew("$path.rc", "$how\n");
    return;
}

# The node's Fibre Channel ports and iSCSI connections.
my sub record_ports($class, $ports) {
    my ($hosts, $connections) = $ports->@{qw(fc-hosts connections)};
    spew("$class/fc_host/$_/port_name", $hosts->{$_}) for sort keys %$hosts;
    for my $name (sort keys %$connections) {
        spew("$class/iscsi_connection/$name/persistent_$_", $connections->{$name}->{$_}) for qw(address port);
    }
    return;
}

# Data of the block devices. The links of paths are already recorded; the data of a path is written
# to the target of its link.
my sub record_devices($base, $devices) {
    my $sys = "$base/sys/block";
    my ($mapped, $disks) = $devices->@{qw(mapped disks)};
    for my $dev (sort keys %$mapped) {
        spew("$sys/$dev/dm/$_", $mapped->{$dev}->{$_}) for qw(name uuid);
        spew("$sys/$dev/slaves/$_", '') for $mapped->{$dev}->{slaves}->@*;
    }
    for my $dev (sort keys %$disks) {
        my ($size, $number, $udev) = $disks->{$dev}->@{qw(size dev udev)};
        my $link = readlink("$sys/$dev");
        my $dir = defined($link) ? "$sys/$link" : "$sys/$dev";
        spew("$dir/size", $size);
        next if !defined($udev);
        spew("$dir/dev", $number);
        spew("$base/run/udev/data/b" . $number =~ s/\n\z//r, $udev);
    }
    return;
}

# What tells who uses the maps: the devices that lie on others, the mounts and swap spaces, LVM's files.
# Returns what could not be read.
my sub record_uses($base, $node) {
    my $facts = PVE::Multipath::Uses::facts($node);
    my $blocks = $facts->{blocks};
    for my $dev (sort keys %$blocks) {
        my ($number, $slaves, $udev) = $blocks->{$dev}->@{qw(dev slaves udev)};
        spew("$base/sys/block/$dev/slaves/$_", '') for @$slaves;
        next if !defined($number);
        spew("$base/sys/block/$dev/dev", $number);
        spew("$base/run/udev/data/b" . $number =~ s/\n\z//r, $udev) if defined($udev);
    }
    my %to = PVE::Multipath::Node::Recorded::layout($base);
    spew($to{$_}, $facts->{$_}) for grep { defined($facts->{$_}) } qw(mounts swaps lvm-hints);
    my @backups = $facts->{'lvm-backup'}->@*;
    spew("$to{'lvm-backup'}/$_", $backups[$_]) for keys @backups;
    return $facts->{errors};
}

# What tells which LUNs could be put on the allow-list. Links come first: what belongs to a disk goes to
# where its link leads.
my sub record_candidates($base) {
    my ($facts, $unread) = PVE::Multipath::Candidates::facts(PVE::Multipath::Node->live());
    record_reply("$base/multipathd/show-paths-raw", $facts->{listing}) if defined($facts->{listing});

    my $sys = "$base/sys/block";
    PVE::Multipath::File::make_directory($sys);
    my $record = sub($dir, $disk, @attributes) {
        for my $attribute (@attributes) {
            my $text = $disk->{ $attribute =~ s!\A.*/!!r };
            spew("$dir/$attribute", $text) if defined($text);
        }
        spew("$dir/holders/$_", '') for $disk->{holders}->@*;
        my ($number, $udev) = $disk->@{qw(dev udev)};
        spew("$base/run/udev/data/b" . $number =~ s/\n\z//r, $udev) if defined($number) && defined($udev);
    };
    for my $dev (sort keys $facts->{disks}->%*) {
        my $disk = $facts->{disks}->{$dev};
        my $dir = "$sys/$dev";
        if (defined(my $link = $disk->{link})) {
            symlink($link, $dir) || -l $dir or die "cannot write '$dir' - $!\n";
            $dir = "$sys/$link";
            # the folder that the link's dots leave
            PVE::Multipath::File::make_directory($dir);
        }
        $record->($dir, $disk, qw(size dev hidden removable), map { "device/$_" } qw(type state vendor model serial));
        $record->("$dir/$_", $disk->{partitions}->{$_}, 'dev') for sort keys $disk->{partitions}->%*;
    }
    spew("$base$_->{name}", $_->{text}) for $facts->{files}->@*;
    return $unread;
}

my sub record_node($base) {
    my $node = PVE::Multipath::Node->live();
    for my $command (['show', 'daemon'], ['show', 'maps', 'json'], ['show', 'config', 'local']) {
        # each has the whole time-out for itself
        my $reply = PVE::Multipath::Node->live()->query($command);
        record_reply("$base/multipathd/" . join('-', @$command), $reply);
        next if "@$command" ne 'show maps json';

        my $block = $node->block(PVE::RS::Multipath::Maps::read($reply)->{devices});
        my $sys = "$base/sys/block";
        PVE::Multipath::File::make_directory($sys);
        for my $dev (sort keys $block->{links}->%*) {
            symlink($block->{links}->{$dev}, "$sys/$dev") or die "cannot write '$sys/$dev' - $!\n";
        }
        spew("$sys/$_/size", $block->{sizes}->{$_}) for sort keys $block->{sizes}->%*;
        for my $dev (sort keys $block->{holders}->%*) {
            spew("$sys/$dev/holders/$_", '') for $block->{holders}->{$dev}->@*;
        }
    }
    record_ports("$base/sys/class", $node->ports());
    my $candidates = record_candidates($base);
    record_devices($base, $node->devices());
    record_reply("$base/dmsetup/info", $node->open_counts());
    my $unread = record_uses($base, $node);

    my $version = $node->tools_version();
    spew("$base/multipath-tools-version", "$version\n") if defined($version);
    my $initramfs = $node->initramfs();
    spew("$base/initramfs.json", JSON::PP->new()->utf8()->canonical()->pretty()->encode($initramfs))
        if defined($initramfs);

    my %to = PVE::Multipath::Node::Recorded::layout($base);
    my $copy = sub($from, $to) {
        my $text = PVE::Multipath::File::read($from);
        spew($to, $text) if defined($text);
    };
    $copy->($node->{$_}, $to{$_}) for qw(wwids-file record-file paths-file);
    $copy->("$node->{'run-dir'}/$_", "$to{'run-dir'}/$_") for qw(reconfigure applied.json);
    for my $file (PVE::RS::Multipath::Plan::drop_ins()->@*) {
        $copy->("$node->{'drop-in-dir'}/$file", "$to{'drop-in-dir'}/$file");
    }
    return [
        (map { "the uses of the maps, $_: $unread->{$_}" } sort keys %$unread),
        map { 'the candidates: ' . s/\n\z//r } @$candidates,
    ];
}

# If one part fails, the others are recorded nevertheless.
sub run($source, $opts, $dir) {
    die "cannot record a recording: leave out --replay\n" if defined($opts->{replay});
    die "'$dir' is not empty: use a new folder\n"
        if (PVE::Multipath::File::names($dir) // [])->@*;

    # writable only for the user, even with a lax umask
    umask(umask() | 0022);

    my @missing;
    my $part = sub($what, $code) {
        eval { $code->(); 1 } or push @missing, "$what: " . $@ =~ s/\n\z//r;
    };
    my $optional = sub($name, $bytes) {
        spew("$dir/$name", $bytes) if length($bytes // '');
    };

    spew("$dir/now", $source->now() . "\n");
    my $name = $source->nodename();
    spew("$dir/nodename", "$name\n");
    $part->('the configuration', sub() { $optional->('multipath.cfg', $source->config_text()) });
    $part->('the overrides', sub() {
        $optional->('multipath-overrides.conf', $source->overrides_text());
    });
    $part->('the storages', sub() { $optional->('storage.cfg', $source->storage_text()) });
    $part->('the cluster', sub() {
        my $live = PVE::Multipath::Source->live();
        my $members = $live->members();
        my $json = JSON::PP->new()->utf8()->canonical()->pretty();
        $optional->('members.json', $json->encode($members)) if defined($members);
        my %texts = ($PVE::Multipath::KV_APPLY_KEY => $live->kv($PVE::Multipath::KV_APPLY_KEY));
        for my $key (values $PVE::Multipath::Source::KEYS->%*) {
            ($texts{$key}, my $continued) = $live->reports($key);
            $texts{$_} = $continued->{$_} for keys %$continued;
        }
        for my $key (sort keys %texts) {
            spew("$dir/kv/$key/$_", $texts{$key}->{$_}) for sort keys $texts{$key}->%*;
        }
    });
    $part->('the node', sub() {
        my $unread = record_node("$dir/nodes/$name");
        push @missing, @$unread;
    });

    if ($opts->{'output-format'} eq 'text') {
        print_lines('Recorded to ' . safe(characters($dir)) . '. To view it:',
            '  pvemultipath status --replay ' . safe(characters($dir)));
        warn "not recorded: $_\n" for @missing;
    } else {
        print_data({ dir => characters($dir), missing => \@missing }, $opts->{'output-format'});
    }
    return 0;
}

1;
