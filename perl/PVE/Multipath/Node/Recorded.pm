package PVE::Multipath::Node::Recorded;

=head1 NAME

PVE::Multipath::Node::Recorded - a node in a folder with recordings

=cut

use v5.36;

use JSON::PP ();

use PVE::Multipath::File;

use base qw(PVE::Multipath::Node);

# Where a recording has what is elsewhere on a live node.
my %layout = (
    sysfs => 'sys',
    'udev-data' => 'run/udev/data',
    mounts => 'proc/self/mountinfo',
    swaps => 'proc/swaps',
    'lvm-hints' => 'run/lvm/hints',
    'lvm-backup' => 'etc/lvm/backup',
    'config-file' => 'etc/multipath.conf',
    'wwids-file' => 'etc/multipath/wwids',
    'drop-in-dir' => 'etc/multipath/conf.d',
    'record-file' => 'var/lib/pve-multipath/managed-wwids.json',
    'paths-file' => 'var/lib/pve-multipath/paths.json',
    'run-dir' => 'run/pve-multipath',
);

sub layout($base) {
    return map { $_ => "$base/$layout{$_}" } keys %layout;
}

my sub at($class, $base, $name) {
    return bless { base => $base, name => $name, 'keep-attributes' => 1, layout($base) }, $class;
}

sub new($class, $dir, $name) {
    die "'" . ($name =~ s/[^ -~]/?/gr) . "' is not a node name\n"
        if $name !~ m/\A[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?\z/;

    my $base = "$dir/nodes/$name";
    die "there is no recording of node '$name' in '$dir' ('$base' is missing)\n" if !-d $base;

    return at($class, $base, $name);
}

# A node without any file. It cannot be asked.
sub nothing($class, $dir) {
    return at($class, "$dir/nodes", '');
}

my sub recorded($self, $program, @arguments) {
    my $path = "$self->{base}/$program/" . join('-', @arguments);
    my $read = sub($ext) {
        return PVE::Multipath::File::read("$path.$ext")
            // die "no recording of '$program @arguments' of node '$self->{name}':"
            . " '$path.$ext' is missing\n";
    };

    my $rc = $read->('rc');
    die "'$path.rc' is neither an exit code nor 'signal' nor 'timeout'\n"
        if $rc !~ m/\A(?:(\d{1,3})|signal|(timeout))\s*\z/;

    return {
        'exit-code' => defined($1) ? int($1) : undef,
        'timed-out' => defined($2) ? 1 : 0,
        stdout => $read->('out'),
        # recordings leave out an empty one
        stderr => PVE::Multipath::File::read("$path.err") // '',
    };
}

sub query($self, $command) {
    return recorded($self, 'multipathd', @$command);
}

sub paths_listing($self) {
    return undef if !-e "$self->{base}/multipathd/show-paths-raw.rc";
    return recorded($self, 'multipathd', 'show-paths-raw');
}

# The same question would get the same answer.
sub time_left($self) {
    return 0;
}

sub open_counts($self, $timeout = undef) {
    return recorded($self, 'dmsetup', 'info');
}

sub let_pass($self, $seconds) {
    return;
}

sub has_uses($self) {
    return -e $self->{mounts} ? 1 : 0;
}

sub tools_version($self) {
    my $recorded = PVE::Multipath::File::read("$self->{base}/multipath-tools-version") // return undef;
    chomp $recorded;
    return $recorded;
}

sub initramfs($self) {
    my $recorded = PVE::Multipath::File::read("$self->{base}/initramfs.json") // return undef;
    return JSON::PP->new()->utf8()->decode($recorded);
}

# A broken recording must be noticed.
sub unexpected($self, $text) {
    die $text;
}

1;
