package PVE::Multipath::Source;

=head1 NAME

PVE::Multipath::Source - where the data of the cluster comes from

=head1 DESCRIPTION

    my $source = PVE::Multipath::Source->live();
    my $source = PVE::Multipath::Source->replay($dir);

C<live> is the node's pmxcfs with its key-value store and the storage configuration, C<files> no more
than the files of pmxcfs, for which no module of Proxmox VE is needed, and C<replay> a folder with
recordings of them (its layout is in F<fixtures/replay/README.md>).

=over

=item now(), nodename()

=item kv($key)

the texts that the nodes have broadcast, C<< { node => bytes } >>

=item members()

C<< { node => { online, ip, id } } >>, undef on a node without a cluster

=item nodelist()

=item storage_ids()

the sections of F<storage.cfg>

=item config()

the cluster's F<multipath.cfg>, parsed; an empty one if there is none. Warns of what was not
understood in it.

=item quiet_config()

the same without the warnings

=item config_text(), overrides_text(), storage_text()

the bytes of F<multipath.cfg>, F<multipath-overrides.conf> and F<storage.cfg>, none if there is no
file

=item assert_mounted()

no method: dies if pmxcfs is not there

=item pmxcfs_start()

no method: when pmxcfs was started, in seconds since the epoch; undef if it does not run

=item change_config($code)

reads F<multipath.cfg>, calls the code with it, which gives the changed one or dies, and writes
that, all under a lock. Gives what was written, and whether that was needed: a configuration that
says the same as before leaves the file alone.

=item tools_version()

the version of multipath-tools that is installed on this node; undef if that is not known, or in
a folder with recordings

=item node($name)

a L<PVE::Multipath::Node>, by default the local one

=item node_to_plan($name)

the same; in a folder that has no node at all, one that has nothing yet

=back

=cut

use v5.36;

use JSON::PP ();
use POSIX ();

use PVE::Multipath::Config;
use PVE::Multipath::File;
use PVE::Multipath::Node;
use PVE::RS::Multipath::Sections;

our $PMXCFS = '/etc/pve';

my $CONFIG = 'multipath.cfg';
my $OVERRIDES = 'multipath-overrides.conf';

# A broken module must not look like a missing one.
my sub load_pve($module) {
    my $file = ($module =~ s!::!/!gr) . '.pm';
    return if eval { require $file };
    die "this is not a Proxmox VE node ($module is not installed)\n"
        if $@ =~ m/^Can't locate \Q$file\E /;
    die $@;
}

sub live($class) {
    load_pve('PVE::Cluster');
    return $class->files();
}

sub files($class) {
    return bless {}, $class;
}

sub replay($class, $dir) {
    die "'$dir' is no folder with recordings: " . (-e $dir ? 'not a directory' : $!) . "\n"
        if !-d $dir;
    return bless { replay => $dir }, $class;
}

sub is_replay($self) {
    return defined($self->{replay}) ? 1 : 0;
}

my sub recorded($self, $name) {
    my $raw = PVE::Multipath::File::read("$self->{replay}/$name");
    chomp $raw if defined($raw);
    return $raw;
}

my sub recorded_needed($self, $name, $what) {
    return recorded($self, $name)
        // die "the recording has no $what: '$self->{replay}/$name' is missing\n";
}

my sub sections($raw) {
    return PVE::RS::Multipath::Sections::parse($raw // '');
}

sub now($self) {
    return time() if !$self->is_replay();

    # where no node has reported, nothing can be out of date
    return time() if !-e "$self->{replay}/now" && !-e "$self->{replay}/kv";

    my $now = recorded_needed($self, 'now', 'time');
    die "'$self->{replay}/now' is no time in seconds\n" if $now !~ m/\A\s*(\d{1,12})\s*\z/;
    return int($1);
}

sub nodename($self) {
    if ($self->is_replay()) {
        my $name = recorded_needed($self, 'nodename', 'name of the local node');
        return $name =~ s/\A\s+|\s+\z//gr;
    }
    return (POSIX::uname())[1] =~ s/\..*//sr;
}

sub kv($self, $key) {
    return PVE::Cluster::get_node_kv($key) // {} if !$self->is_replay();

    my $dir = "$self->{replay}/kv/$key";
    my $names = PVE::Multipath::File::names($dir) // [];
    # editors and version control leave hidden files
    return { map { $_ => PVE::Multipath::File::read("$dir/$_") } grep { !m/^\./ } @$names };
}

sub members($self) {
    return PVE::Cluster::get_members() if !$self->is_replay();

    my $raw = recorded($self, 'members.json') // return undef;
    my $members = eval { JSON::PP->new()->utf8()->decode($raw) };
    die "'$self->{replay}/members.json' is no JSON: $@" if $@;
    die "'$self->{replay}/members.json' is no JSON object\n" if ref($members) ne 'HASH';
    return $members;
}

sub nodelist($self) {
    return PVE::Cluster::get_nodelist() if !$self->is_replay();

    my $members = $self->members() // {};
    return [sort keys %$members] if %$members;
    return defined(recorded($self, 'nodename')) ? [$self->nodename()] : [];
}

sub storage_ids($self) {
    if ($self->is_replay()) {
        return sections($self->storage_text())->{ids};
    }
    load_pve('PVE::Storage');
    return PVE::Storage::config()->{ids};
}

sub assert_mounted() {
    die "'$PMXCFS' is not mounted - is pve-cluster running?\n" if !-e "$PMXCFS/.version";
    return;
}

sub pmxcfs_start() {
    my $version = eval { PVE::Multipath::File::read("$PMXCFS/.version") };
    return ($version // '') =~ m/"starttime"\s*:\s*(\d+)/ ? $1 : undef;
}

# Without the cluster file system everything below it looks absent, which is not empty, or is what
# somebody has put below the mount point. It may go away at any time, so it has to be there after the
# reading.
my sub cluster_file($self, $name) {
    my $dir = $self->{replay} // $PMXCFS;
    my $raw = PVE::Multipath::File::read("$dir/$name");
    assert_mounted() if !$self->is_replay();
    return $raw // '';
}

sub config_text($self) {
    return cluster_file($self, $CONFIG);
}

sub overrides_text($self) {
    return cluster_file($self, $OVERRIDES);
}

sub storage_text($self) {
    return cluster_file($self, 'storage.cfg');
}

sub config($self) {
    return PVE::Multipath::Config->parse_config($CONFIG, $self->config_text());
}

sub quiet_config($self) {
    return PVE::Multipath::Config::parse_quietly($CONFIG, $self->config_text());
}

# The texts decide whether there is anything to write: a change may set what is set already.
my sub change($self, $code, $write) {
    my $cfg = $self->config();
    my $text = PVE::Multipath::Config->write_config($CONFIG, my $changed = $code->($cfg));
    return ($cfg, 0) if $text eq PVE::Multipath::Config->write_config($CONFIG, $cfg);

    $write->($changed, $text);

    # whatever there was to say has been said when it was read
    return (PVE::Multipath::Config::parse_quietly($CONFIG, $text), 1);
}

sub change_config($self, $code) {
    if ($self->is_replay()) {
        return PVE::Multipath::File::locked("$self->{replay}/.$CONFIG.lock", sub() {
            return change($self, $code, sub($cfg, $text) {
                PVE::Multipath::File::replace("$self->{replay}/$CONFIG", $text, keep => 1);
            });
        });
    }
    require PVE::Multipath::ClusterConfig;
    my $res = PVE::Multipath::ClusterConfig::lock_config(sub() {
        return [change($self, $code, sub($cfg, $) {
            PVE::Multipath::ClusterConfig::write_config($cfg);
        })];
    });
    return @$res;
}

sub tools_version($self) {
    return $self->is_replay() ? undef : PVE::Multipath::Node->live()->tools_version();
}

sub node($self, $name = undef) {
    return PVE::Multipath::Node->replay($self->{replay}, $name // $self->nodename())
        if $self->is_replay();
    return PVE::Multipath::Node->live();
}

sub node_to_plan($self, $name = undef) {
    my $dir = $self->{replay};
    return PVE::Multipath::Node->replay_nothing($dir)
        if defined($dir) && !defined($name) && !-e "$dir/nodename" && !-e "$dir/nodes";
    return $self->node($name);
}

1;
