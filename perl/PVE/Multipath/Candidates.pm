package PVE::Multipath::Candidates;

=head1 NAME

PVE::Multipath::Candidates - LUNs that a node sees and that are not on the allow-list

=head1 DESCRIPTION

What multipathd, sysfs, udev and LVM have of a node's disks, without asking any of the disks: one that
lost its paths may never answer. Which of them may be put on the allow-list is decided in the library.

=over

=item facts($node)

What was read of a L<PVE::Multipath::Node>, as the library takes it, and a list of what could not be read.

=item list($node, $config)

C<< { candidates, omitted, warnings } >> beside the allow-list of a parsed configuration.

=item identify($node, $typed)

Which LUNs are meant by what a person has typed: for each text C<< { wwid, how, size, serial, refusal,
caution } >> or C<< { error } >>, and a list of what could not be read. Without a node, or if a recording
does not have what it takes, it is not known which LUNs are seen: then C<checked> is 0.

=back

=cut

use v5.36;

use PVE::Multipath::Daemon;
use PVE::Multipath::File;
use PVE::RS::Multipath::Candidates;

my $CONFIG_FILE = '/etc/multipath.conf';
my $CONFIG_DIR = '/etc/multipath/conf.d';
my $BACKUP_DIR = '/etc/lvm/backup';

# Longer files are neither a configuration nor LVM's backup of a volume group.
my $MOST_BYTES = 4 * 1024 * 1024;

# So many volume groups may have been on a node.
my $MOST_BACKUPS = 1000;

sub facts($node) {
    my @unread;
    my $try = sub($code) {
        my $result = eval { $code->() };
        push @unread, $@ if $@;
        return $result;
    };
    # A pipe or a device could keep the reader waiting.
    my $file = sub($path) {
        return $try->(sub() {
            my $at = $node->file($path);
            # files of /proc have no size
            my ($mode, $size) = (stat($at))[2, 7];
            return undef if !defined($mode) && $!{ENOENT};
            die "'$path' is not a regular file\n" if defined($mode) && !-f _;
            die "'$path' is too long to be looked at ($size bytes)\n" if ($size // 0) > $MOST_BYTES;
            return PVE::Multipath::File::read($at);
        });
    };
    my $files = sub($dir, $pattern) {
        my $names = $try->(sub() { PVE::Multipath::File::names($node->file($dir)) }) // [];
        return grep { $_ =~ $pattern } @$names;
    };
    my $named = sub($name, $path) {
        my $text = $file->($path);
        return defined($text) ? { name => $name, text => $text } : ();
    };

    my @configs = ($CONFIG_FILE, map { "$CONFIG_DIR/$_" } $files->($CONFIG_DIR, qr/\.conf\z/));
    my @backups = $files->($BACKUP_DIR, qr/\A[^.]/);
    splice(@backups, $MOST_BACKUPS) if @backups > $MOST_BACKUPS;

    my $facts = {
        listing => $try->(sub() { $node->paths_listing() }),
        # a recording may be without it
        configuration => scalar(eval { $node->query(['show', 'config', 'local']) }),
        files => [map { $named->($_, $_) } @configs],
        'tools-version' => $node->tools_version(),
        disks => $try->(sub() { $node->disks() }) // {},
        mapped => $try->(sub() { $node->mapped() }) // {},
        mountinfo => $file->('/proc/self/mountinfo'),
        swaps => $file->('/proc/swaps'),
        'lvm-hints' => $file->('/run/lvm/hints'),
        'lvm-backups' => [map { $named->($_, "$BACKUP_DIR/$_") } @backups],
    };
    return ($facts, \@unread);
}

sub list($node, $config = undef) {
    my ($facts, $unread) = facts($node);
    my $found = PVE::RS::Multipath::Candidates::of_node($facts, $config);
    unshift $found->{warnings}->@*, @$unread;
    return $found;
}

sub identify($node, $typed) {
    my ($facts, $unread) = defined($node) ? facts($node) : (undef, []);
    my $listing = ($facts // {})->{listing};
    $facts = undef if !defined($listing);
    return {
        answers => PVE::RS::Multipath::Candidates::identify($facts, $typed),
        checked => defined($facts) ? 1 : 0,
        warnings => $unread,
    };
}

1;
